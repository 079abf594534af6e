"""Looks into a server's bucket and clears it, unsigned: the sink asks for no signature, and MinIO's bucket is public."""

import base64
import hashlib
import ssl
import urllib.parse
import urllib.request
from xml.etree import ElementTree
from xml.sax.saxutils import escape

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Store:
    def __init__(self, url, bucket, ca):
        self.bucket_url = f"{url}/{bucket}"
        context = ssl.create_default_context(cafile=ca) if ca else None
        handlers = [urllib.request.ProxyHandler({})] + ([urllib.request.HTTPSHandler(context=context)] if context else [])
        self.opener = urllib.request.build_opener(*handlers)

    def request(self, query, body=None):
        request = urllib.request.Request(f"{self.bucket_url}?{urllib.parse.urlencode(query)}", data=body)
        if body is not None:
            request.add_header("Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode())
        with self.opener.open(request) as answer:
            return ElementTree.fromstring(answer.read())

    def sizes(self, prefix):
        """The sizes of all objects whose keys begin with `prefix`, by key."""
        found, query = {}, {"list-type": "2", "prefix": prefix}
        while True:
            page = self.request(query)
            for item in page.iter(NAMESPACE + "Contents"):
                found[item.findtext(NAMESPACE + "Key")] = int(item.findtext(NAMESPACE + "Size"))
            token = page.findtext(NAMESPACE + "NextContinuationToken")
            if not token:
                return found
            query["continuation-token"] = token

    def remove(self, prefix):
        keys = list(self.sizes(prefix))
        for start in range(0, len(keys), 1000):
            objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys[start : start + 1000])
            self.request({"delete": ""}, f"<Delete>{objects}</Delete>".encode())
