// s3sink: an S3 endpoint that costs almost nothing, so that a benchmark sees the client and not the server.
//
//   cc -O2 -pthread -o s3sink s3sink.c -lssl -lcrypto
//   ./s3sink PORT FILE [DELAY_US]
//
// Parts of uploads, and objects of more than KEEP bytes, are spliced into /dev/null; reading such an object gives FILE's
// bytes by sendfile. So what is put in parts must be a copy of FILE. Smaller objects (manifests, many small files) are
// kept in memory and come back as they were put. Nothing is there that was not put. No signature is checked: this is
// for measuring on the loopback and nothing else.
//
// DELAY_US is waited before each request is answered. Environment:
//   PUT_MBPS, GET_MBPS    cap each connection, in units of 10^6 bytes a second
//   TLS_CERT, TLS_KEY     PEM files: speak TLS
//   NO_CHECKSUMS          confirm and keep no x-amz-checksum-*, as old servers do. Without it they come back unchecked.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEEP = 16 << 20, PAGE = 1000, HEADER = 1 << 16, BLOCK = 1 << 18, MAX_PARTS = 10000 };

static int file_fd, devnull, no_checksums;
static long long file_size;
static const char *file_map;
static long delay_us;
static double put_bps, get_bps;
static SSL_CTX *tls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

// Waits until `bytes` may have passed since `since`.
static void pace(double since, double bytes, double bps) {
  double wait = bps ? since + bytes / bps - now() : 0;
  if (wait > 0) usleep((useconds_t)(wait * 1e6));
}

// ---- text that grows

typedef struct { char *data; size_t len, cap; } Text;

static void reserve(Text *t, size_t more) {
  if (t->len + more + 1 <= t->cap) return;
  t->cap = (t->len + more + 1) * 2;
  if (!(t->data = realloc(t->data, t->cap))) abort();
}

__attribute__((format(printf, 2, 3))) static void add(Text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  reserve(t, n);
  va_start(args, format);
  vsnprintf(t->data + t->len, n + 1, format, args);
  va_end(args);
  t->len += n;
}

static void add_char(Text *t, char c) {
  reserve(t, 1);
  t->data[t->len++] = c;
  t->data[t->len] = 0;
}

static void add_url(Text *t, const char *s) {
  for (; *s; s++) {
    if (isalnum((unsigned char)*s) || strchr("-_.~/", *s)) add_char(t, *s);
    else add(t, "%%%02X", (unsigned char)*s);
  }
}

static void add_xml(Text *t, const char *s) {
  for (; *s; s++) {
    if (strchr("<>&\"'", *s) || (unsigned char)*s < 32) add(t, "&#%d;", *s);
    else add_char(t, *s);
  }
}

// Decodes %XX in place, and '+' where it means a space.
static void url_decode(char *s, int plus) {
  char *to = s;
  for (; *s; s++) {
    if (*s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2])) {
      char hex[3] = {s[1], s[2], 0};
      *to++ = (char)strtol(hex, NULL, 16);
      s += 2;
    } else *to++ = plus && *s == '+' ? ' ' : *s;
  }
  *to = 0;
}

// ---- objects: never changed, only replaced; in a tree by name, each counted by who uses it

typedef struct {
  char *name;     // BUCKET/KEY
  char *body;     // NULL: FILE's bytes
  long long size;
  char etag[40];  // quoted, and never taken for an MD5
  char *headers;  // x-amz-meta-*
  char *sums;     // x-amz-checksum-*, given to who asks
  int parts;
  long long *part_sizes;
  time_t modified;
  int users;
} Object;

static void *objects;

static int by_name(const void *a, const void *b) { return strcmp(((const Object *)a)->name, ((const Object *)b)->name); }

static void release(Object *o) {
  if (!o || __sync_sub_and_fetch(&o->users, 1)) return;
  free(o->name); free(o->body); free(o->headers); free(o->sums); free(o->part_sizes); free(o);
}

static Object *find(const char *name) {
  Object like = {.name = (char *)name}, **at = tfind(&like, &objects, by_name);
  return at ? *at : NULL;
}

static Object *use(const char *name) {
  pthread_mutex_lock(&lock);
  Object *o = find(name);
  if (o) __sync_add_and_fetch(&o->users, 1);
  pthread_mutex_unlock(&lock);
  return o;
}

static void forget(const char *name) {
  pthread_mutex_lock(&lock);
  Object *o = find(name);
  if (o) { tdelete(o, &objects, by_name); release(o); }
  pthread_mutex_unlock(&lock);
}

// Puts `o` in its place if the conditions hold: 200, or 412 or 404 and nothing is changed.
static int place(Object *o, const char *if_match, const char *if_none_match) {
  int status = 200;
  pthread_mutex_lock(&lock);
  Object *old = find(o->name);
  if (old && if_none_match) status = 412;
  else if (if_match && !old) status = 404;
  else if (if_match && strcmp(if_match, old->etag)) status = 412;
  else {
    if (old) { tdelete(old, &objects, by_name); release(old); }
    __sync_add_and_fetch(&o->users, 1);
    tsearch(o, &objects, by_name);
  }
  pthread_mutex_unlock(&lock);
  return status;
}

// 128 bits that change with the content; fast, and no more than that.
static void set_etag(Object *o, const void *salt, size_t salt_len) {
  uint64_t a = 0x9e3779b97f4a7c15u ^ (uint64_t)o->size, b = 0xc2b2ae3d27d4eb4fu;
  const char *from[2] = {o->body, salt};
  size_t len[2] = {o->body ? (size_t)o->size : 0, salt_len};
  for (int i = 0; i < 2; i++) {
    for (size_t at = 0; at < len[i]; at += 8) {
      uint64_t word = 0;
      memcpy(&word, from[i] + at, len[i] - at < 8 ? len[i] - at : 8);
      a = (a ^ word) * 0xff51afd7ed558ccdu; a ^= a >> 32;
      b = (b + word) * 0xc4ceb9fe1a85ec53u; b ^= b >> 29;
    }
  }
  snprintf(o->etag, sizeof o->etag, "\"%016llx%016llx-1\"", (unsigned long long)a, (unsigned long long)b);
}

// ---- uploads in parts

typedef struct Upload {
  struct Upload *next;
  unsigned id;
  char *headers;
  int parts;
  long long sizes[MAX_PARTS];
} Upload;

static Upload *uploads;

static Upload **upload_at(unsigned id) {
  Upload **at = &uploads;
  while (*at && (*at)->id != id) at = &(*at)->next;
  return at;
}

// ---- connections and requests

typedef struct {
  int sock, pipe[2];
  SSL *ssl;
  char *buf;           // a request's header, then what came after it
  size_t start, have;
  char *block;         // for bodies that are dropped and cannot be spliced
  // the request
  char method[8], *name, *key, *query, *head;
} Conn;

static ssize_t receive(Conn *c, void *to, size_t n) { return c->ssl ? SSL_read(c->ssl, to, n) : recv(c->sock, to, n, 0); }

static int send_all(Conn *c, const char *from, size_t n) {
  while (n) {
    ssize_t k = c->ssl ? SSL_write(c->ssl, from, n > 1 << 30 ? 1 << 30 : n) : send(c->sock, from, n, MSG_NOSIGNAL);
    if (k <= 0) return -1;
    from += k;
    n -= k;
  }
  return 0;
}

// More bytes behind those in the buffer.
static int fill(Conn *c) {
  if (c->start) {
    memmove(c->buf, c->buf + c->start, c->have);
    c->start = 0;
  }
  if (c->have == HEADER) return -1;
  ssize_t k = receive(c, c->buf + c->have, HEADER - c->have);
  if (k <= 0) return -1;
  c->have += k;
  return 0;
}

// Text up to `end`, which is passed over; a NUL takes its place. NULL when the connection ends or it is too long.
static char *take_until(Conn *c, const char *end) {
  for (;;) {
    c->buf[c->start + c->have] = 0;
    char *from = c->buf + c->start, *to = strstr(from, end);
    if (to) {
      *to = 0;
      size_t used = to + strlen(end) - from;
      c->start += used;
      c->have -= used;
      return from;
    }
    if (fill(c)) return NULL;
  }
}

// A header's value, copied; NULL when there is none.
static char *header(const Conn *c, const char *name) {
  size_t n = strlen(name);
  for (const char *p = strstr(c->head, "\r\n"); p; p = strstr(p, "\r\n")) {
    p += 2;
    if (!strncasecmp(p, name, n) && p[n] == ':') {
      p += n + 1;
      p += strspn(p, " ");
      return strndup(p, strcspn(p, "\r"));
    }
  }
  return NULL;
}

// All headers whose names begin with `prefix`, as lines.
static char *headers_like(const Conn *c, const char *prefix) {
  Text t = {0};
  add(&t, "%s", "");
  for (const char *p = strstr(c->head, "\r\n"); p; p = strstr(p, "\r\n")) {
    p += 2;
    if (!strncasecmp(p, prefix, strlen(prefix))) add(&t, "%.*s\r\n", (int)strcspn(p, "\r"), p);
  }
  return t.data;
}

static long long number(const Conn *c, const char *name, long long otherwise) {
  char *value = header(c, name);
  long long n = value ? atoll(value) : otherwise;
  free(value);
  return n;
}

// A parameter of the query, decoded; NULL when it is not there, "" when it has no value.
static char *param(const Conn *c, const char *name) {
  size_t n = strlen(name);
  for (const char *p = c->query; *p; p += strcspn(p, "&"), p += *p == '&') {
    if (strncmp(p, name, n) || !strchr("=&", p[n])) continue;
    p += n + (p[n] == '=');
    char *value = strndup(p, strcspn(p, "&"));
    url_decode(value, 1);
    return value;
  }
  return NULL;
}

static int has(const Conn *c, const char *name) {
  char *value = param(c, name);
  free(value);
  return value != NULL;
}

// ---- bodies

// `n` bytes of the connection: onto `keep`, or dropped.
static int take_bytes(Conn *c, long long n, Text *keep) {
  double since = now();
  long long total = n, early = n < (long long)c->have ? n : (long long)c->have;
  if (keep) {
    reserve(keep, n);
    memcpy(keep->data + keep->len, c->buf + c->start, early);
    keep->len += early;
  }
  c->start += early;
  c->have -= early;
  n -= early;
  long long step = put_bps ? 1 << 17 : 1 << 20;
  while (n > 0) {
    pace(since, total - n, put_bps);
    ssize_t k;
    if (keep) {
      k = receive(c, keep->data + keep->len, n);
      if (k > 0) keep->len += k;
    } else if (c->ssl) {
      k = SSL_read(c->ssl, c->block, n > BLOCK ? BLOCK : n);
    } else {
      k = splice(c->sock, NULL, c->pipe[1], NULL, n > step ? step : n, SPLICE_F_MOVE | SPLICE_F_MORE);
      for (ssize_t left = k; left > 0;) {
        ssize_t gone = splice(c->pipe[0], NULL, devnull, NULL, left, SPLICE_F_MOVE);
        if (gone <= 0) return -1;
        left -= gone;
      }
    }
    if (k <= 0) return -1;
    n -= k;
  }
  pace(since, total, put_bps);
  return 0;
}

// aws-chunked: SIZE;chunk-signature=... CRLF bytes CRLF, and so on; what follows a size of 0 are trailers.
static void strip_chunks(Text *body) {
  char *from = body->data, *end = body->data + body->len, *to = body->data;
  while (from < end) {
    long n = strtol(from, NULL, 16);
    char *line = memmem(from, end - from, "\r\n", 2);
    if (n <= 0 || !line || line + 2 + n > end) break;
    memmove(to, line + 2, n);
    to += n;
    from = line + 2 + n + 2;
  }
  body->len = to - body->data;
  body->data[body->len] = 0;
}

// The request's body; its own length in `size`, without what transfer and signature put around it.
static int take_body(Conn *c, int keeps, Text *body, long long *size) {
  char *coding = header(c, "transfer-encoding"), *expect = header(c, "expect");
  int chunked = coding && !strcasecmp(coding, "chunked"), waits = expect && !strncasecmp(expect, "100", 3);
  free(coding);
  free(expect);
  if (waits && !c->have && send_all(c, "HTTP/1.1 100 Continue\r\n\r\n", 25)) return -1;
  long long length = number(c, "content-length", 0), decoded = number(c, "x-amz-decoded-content-length", -1);
  Text *keep = keeps && length <= KEEP && decoded <= KEEP ? body : NULL;
  if (chunked) {
    length = 0;
    for (;;) {
      char *line = take_until(c, "\r\n");
      long long n = line ? strtoll(line, NULL, 16) : -1;
      if (n < 0) return -1;
      if (!n) break;
      length += n;
      if (keep && length > KEEP) return -1;
      if (take_bytes(c, n, keep) || !take_until(c, "\r\n")) return -1;
    }
    for (char *line; (line = take_until(c, "\r\n")) && *line;) {}
  } else if (take_bytes(c, length, keep)) return -1;
  if (keep) {
    reserve(keep, 0);
    keep->data[keep->len] = 0;
    if (decoded >= 0) strip_chunks(keep);
  }
  *size = decoded >= 0 ? decoded : length;
  return 0;
}

// ---- answers

static int reply(Conn *c, int status, const char *extra, const char *body) {
  const char *word = status == 200 ? "OK" : status == 204 ? "No Content" : status == 404 ? "Not Found" : "Refused";
  int is_head = !strcmp(c->method, "HEAD");
  Text t = {0};
  add(&t, "HTTP/1.1 %d %s\r\nServer: s3sink\r\nx-amz-request-id: 1\r\n%s", status, word, extra);
  if (body && !is_head) add(&t, "Content-Type: application/xml\r\n");
  add(&t, "Content-Length: %zu\r\n\r\n", body && !is_head ? strlen(body) : 0);
  if (body && !is_head) add(&t, "%s", body);
  int failed = send_all(c, t.data, t.len);
  free(t.data);
  return failed;
}

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static int refuse_as(Conn *c, int status, const char *code) {
  char body[200];
  snprintf(body, sizeof body, XML "<Error><Code>%s</Code><Message>s3sink</Message></Error>", code);
  return reply(c, status, "", body);
}

static int refuse(Conn *c, int status) {
  return refuse_as(c, status, status == 404   ? "NoSuchKey"
                              : status == 412 ? "PreconditionFailed"
                              : status == 416 ? "InvalidRange"
                                              : "NotImplemented");
}

// Checksums of the request, for its answer.
static char *sums_of(const Conn *c) { return no_checksums ? strdup("") : headers_like(c, "x-amz-checksum-"); }

// Puts the object and answers; takes `o`.
static int finish(Conn *c, Object *o, const char *body) {
  char *match = header(c, "if-match"), *none = header(c, "if-none-match");
  o->users = 1;
  o->modified = time(NULL);
  o->sums = sums_of(c);
  int status = place(o, match, none), failed;
  free(match);
  free(none);
  if (status == 200) {
    Text extra = {0};
    // The answer to the end of an upload has its ETag in the body.
    add(&extra, "ETag: %s\r\n%s", o->etag, o->sums);
    if (body) {
      Text xml = {0};
      add(&xml, XML "<CompleteMultipartUploadResult" XMLNS "><Location>x</Location><Bucket>b</Bucket><Key>");
      add_xml(&xml, c->key);
      add(&xml, "</Key><ETag>%s</ETag></CompleteMultipartUploadResult>", o->etag);
      failed = reply(c, 200, "", xml.data);
      free(xml.data);
    } else failed = reply(c, 200, extra.data, NULL);
    free(extra.data);
  } else failed = refuse(c, status);
  release(o);
  return failed;
}

static int put_object(Conn *c, Text *body, long long size) {
  char *copy = header(c, "x-amz-copy-source");
  free(copy);
  if (copy || (!body->data && size > file_size)) return refuse(c, 501);
  Object *o = calloc(1, sizeof *o);
  o->name = strdup(c->name);
  o->size = size;
  o->headers = headers_like(c, "x-amz-meta-");
  o->body = body->data;
  body->data = NULL;
  set_etag(o, o->headers, o->body ? 0 : strlen(o->headers));
  return finish(c, o, NULL);
}

static int begin_upload(Conn *c) {
  static unsigned last;
  Upload *u = calloc(1, sizeof *u);
  u->headers = headers_like(c, "x-amz-meta-");
  char *sums = sums_of(c);
  pthread_mutex_lock(&lock);
  u->id = ++last;
  u->next = uploads;
  uploads = u;
  unsigned id = u->id;
  pthread_mutex_unlock(&lock);
  Text xml = {0};
  add(&xml, XML "<InitiateMultipartUploadResult" XMLNS "><Bucket>b</Bucket><Key>");
  add_xml(&xml, c->key);
  add(&xml, "</Key><UploadId>u%u</UploadId></InitiateMultipartUploadResult>", id);
  int failed = reply(c, 200, sums, xml.data);
  free(xml.data);
  free(sums);
  return failed;
}

// What is done to an upload: a part of it, its end, or its abort.
static int go_on_with_upload(Conn *c, const char *upload, long long size) {
  unsigned id = upload[0] == 'u' ? strtoul(upload + 1, NULL, 10) : 0;
  char *text = param(c, "partNumber");
  int part = text ? atoi(text) : 0;
  free(text);
  int is_part = !strcmp(c->method, "PUT"), is_end = !strcmp(c->method, "POST");
  if (is_part ? part < 1 || part > MAX_PARTS : !is_end && strcmp(c->method, "DELETE")) return refuse(c, 501);
  pthread_mutex_lock(&lock);
  Upload **at = upload_at(id), *u = *at;
  if (u && is_part) {
    u->sizes[part - 1] = size;
    if (part > u->parts) u->parts = part;
  } else if (u) *at = u->next;
  pthread_mutex_unlock(&lock);
  if (!u) return refuse_as(c, 404, "NoSuchUpload");
  if (is_part) {
    Text extra = {0};
    char *sums = sums_of(c);
    add(&extra, "ETag: \"%024x%08x-1\"\r\n%s", id, part, sums);
    int failed = reply(c, 200, extra.data, NULL);
    free(extra.data);
    free(sums);
    return failed;
  }
  Object *o = calloc(1, sizeof *o);
  o->name = strdup(c->name);
  o->headers = u->headers;
  o->parts = u->parts;
  o->part_sizes = malloc(u->parts * sizeof *u->sizes + 1);
  memcpy(o->part_sizes, u->sizes, u->parts * sizeof *u->sizes);
  for (int i = 0; i < u->parts; i++) o->size += u->sizes[i];
  free(u);
  set_etag(o, &id, sizeof id);
  if (is_end && o->size <= file_size) return finish(c, o, "");
  o->users = 1;
  release(o);
  return is_end ? refuse(c, 501) : reply(c, 204, "", NULL);
}

// <Key>...</Key> of each object to delete; S3's clients write nothing there but text and the five entities.
static int delete_many(Conn *c, Text *body) {
  static const char *const entities[][2] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}};
  Text xml = {0};
  add(&xml, XML "<DeleteResult" XMLNS ">");
  for (char *p = body->data ? body->data : ""; (p = strstr(p, "<Key>"));) {
    p += 5;
    size_t n = strcspn(p, "<");
    Text name = {0};
    add(&name, "%.*s/", (int)strcspn(c->name, "/"), c->name);
    for (char *end = p + n; p < end;) {
      int found = 0;
      for (int i = 0; i < 5 && !found; i++) {
        if (strncmp(p, entities[i][0], strlen(entities[i][0]))) continue;
        add(&name, "%s", entities[i][1]);
        p += strlen(entities[i][0]);
        found = 1;
      }
      if (!found) add_char(&name, *p++);
    }
    forget(name.data);
    add(&xml, "<Deleted><Key>");
    add_xml(&xml, strchr(name.data, '/') + 1);
    add(&xml, "</Key></Deleted>");
    free(name.data);
  }
  add(&xml, "</DeleteResult>");
  int failed = reply(c, 200, "", xml.data);
  free(xml.data);
  return failed;
}

// ---- listings

typedef struct {
  const char *bucket, *prefix, *delimiter, *after;
  int encoded, v2, limit, count;
  char last[8192], group[8192];
  int more;
  Text entries;
} Listing;

static void add_key(Listing *l, const char *key) {
  if (l->encoded) add_url(&l->entries, key);
  else add_xml(&l->entries, key);
}

static void list_one(const void *node, VISIT visit, void *closure) {
  if (visit != postorder && visit != leaf) return;
  Listing *l = closure;
  const Object *o = *(Object *const *)node;
  size_t bucket = strlen(l->bucket), prefix = strlen(l->prefix), after = strlen(l->after);
  if (l->more || strncmp(o->name, l->bucket, bucket) || o->name[bucket] != '/') return;
  const char *key = o->name + bucket + 1;
  if (strncmp(key, l->prefix, prefix) || strcmp(key, l->after) <= 0) return;
  const char *cut = *l->delimiter ? strstr(key + prefix, l->delimiter) : NULL;
  char group[8192] = "";
  if (cut) {
    snprintf(group, sizeof group, "%.*s", (int)(cut - key + strlen(l->delimiter)), key);
    if (!strcmp(group, l->group)) return;
    // The page before ended with this group.
    if (after && !strcmp(group, l->after)) return;
  }
  if (l->count == l->limit) {
    l->more = 1;
    return;
  }
  l->count++;
  snprintf(l->last, sizeof l->last, "%s", cut ? group : key);
  if (cut) {
    strcpy(l->group, group);
    add(&l->entries, "<CommonPrefixes><Prefix>");
    add_key(l, group);
    add(&l->entries, "</Prefix></CommonPrefixes>");
    return;
  }
  char when[40];
  struct tm tm;
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&o->modified, &tm));
  add(&l->entries, "<Contents><Key>");
  add_key(l, key);
  add(&l->entries, "</Key><LastModified>%s</LastModified><ETag>", when);
  add_xml(&l->entries, o->etag);
  add(&l->entries, "</ETag><Size>%lld</Size><StorageClass>STANDARD</StorageClass></Contents>", o->size);
}

static int list(Conn *c) {
  char *version = param(c, "list-type"), *prefix = param(c, "prefix"), *delimiter = param(c, "delimiter");
  char *encoding = param(c, "encoding-type"), *limit = param(c, "max-keys");
  Listing *l = calloc(1, sizeof *l);
  l->v2 = version && !strcmp(version, "2");
  // A token is the last name of the page before.
  char *after = param(c, l->v2 ? "continuation-token" : "marker");
  if (!after) after = param(c, "start-after");
  l->bucket = c->name;
  c->name[strcspn(c->name, "/")] = 0;
  l->prefix = prefix ? prefix : "";
  l->delimiter = delimiter ? delimiter : "";
  l->after = after ? after : "";
  l->encoded = encoding && !strcasecmp(encoding, "url");
  l->limit = limit && *limit && atoi(limit) < PAGE ? atoi(limit) : PAGE;
  add(&l->entries, "%s", "");
  pthread_mutex_lock(&lock);
  twalk_r(objects, list_one, l);
  pthread_mutex_unlock(&lock);
  Text xml = {0};
  add(&xml, XML "<ListBucketResult" XMLNS "><Name>%s</Name><MaxKeys>%d</MaxKeys><Prefix>", l->bucket, l->limit);
  (l->encoded ? add_url : add_xml)(&xml, l->prefix);
  add(&xml, "</Prefix><IsTruncated>%s</IsTruncated>", l->more ? "true" : "false");
  if (*l->delimiter) {
    add(&xml, "<Delimiter>");
    (l->encoded ? add_url : add_xml)(&xml, l->delimiter);
    add(&xml, "</Delimiter>");
  }
  if (l->encoded) add(&xml, "<EncodingType>url</EncodingType>");
  if (l->v2) add(&xml, "<KeyCount>%d</KeyCount>", l->count);
  if (l->more) {
    add(&xml, l->v2 ? "<NextContinuationToken>" : "<NextMarker>");
    (l->v2 || !l->encoded ? add_xml : add_url)(&xml, l->last);
    add(&xml, l->v2 ? "</NextContinuationToken>" : "</NextMarker>");
  }
  add(&xml, "%s</ListBucketResult>", l->entries.data);
  int failed = reply(c, 200, "", xml.data);
  free(xml.data);
  free(l->entries.data);
  free(l);
  free(version); free(prefix); free(delimiter); free(encoding); free(limit); free(after);
  return failed;
}

// ---- reading

// Which bytes are asked for: 200 for all, 206 for a range or a part, 416.
static int range_of(const Conn *c, const Object *o, long long *from, long long *to) {
  char *range = header(c, "range"), *part = param(c, "partNumber");
  int status = 200, n = part ? atoi(part) : 0;
  *from = 0;
  *to = o->size - 1;
  if (range && !strncmp(range, "bytes=", 6)) {
    char *dash = strchr(range, '-');
    status = 206;
    if (dash == range + 6) *from = o->size > atoll(dash + 1) ? o->size - atoll(dash + 1) : 0;
    else {
      *from = atoll(range + 6);
      if (dash && dash[1] && atoll(dash + 1) < *to) *to = atoll(dash + 1);
    }
  } else if (n >= 1 && n <= o->parts) {
    status = 206;
    for (int i = 0; i < n - 1; i++) *from += o->part_sizes[i];
    *to = *from + o->part_sizes[n - 1] - 1;
  }
  free(range);
  free(part);
  return status == 206 && *from > *to ? 416 : status;
}

static int send_object(Conn *c, const Object *o) {
  long long from, to;
  int status = range_of(c, o, &from, &to);
  if (status == 416) return refuse(c, 416);
  char when[40], *mode = header(c, "x-amz-checksum-mode");
  struct tm tm;
  strftime(when, sizeof when, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&o->modified, &tm));
  Text t = {0};
  add(&t, "HTTP/1.1 %s\r\nServer: s3sink\r\nx-amz-request-id: 1\r\nAccept-Ranges: bytes\r\nETag: %s\r\nLast-Modified: %s\r\n",
      status == 206 ? "206 Partial Content" : "200 OK", o->etag, when);
  add(&t, "Content-Type: application/octet-stream\r\nContent-Length: %lld\r\n%s", to - from + 1, o->headers);
  if (mode && status == 200) add(&t, "%s", o->sums);
  if (status == 206) add(&t, "Content-Range: bytes %lld-%lld/%lld\r\n", from, to, o->size);
  if (o->parts && has(c, "partNumber")) add(&t, "x-amz-mp-parts-count: %d\r\n", o->parts);
  add(&t, "\r\n");
  free(mode);
  int failed, with_body = strcmp(c->method, "HEAD");
  if (with_body && o->body) {
    // Together, since two small sends would wait for one another.
    reserve(&t, to - from + 1);
    memcpy(t.data + t.len, o->body + from, to - from + 1);
    t.len += to - from + 1;
  }
  failed = send_all(c, t.data, t.len);
  free(t.data);
  if (failed || !with_body || o->body) return failed;
  if (c->ssl) return send_all(c, file_map + from, to - from + 1);
  for (off_t at = from; at <= to;) {
    long long rest = to - at + 1;
    if (sendfile(c->sock, file_fd, &at, rest > 4 << 20 ? 4 << 20 : rest) <= 0) return -1;
  }
  return 0;
}

static int read_object(Conn *c) {
  Object *o = use(c->name);
  if (!o) return refuse(c, 404);
  char *match = header(c, "if-match");
  int failed = match && strcmp(match, o->etag) ? refuse(c, 412) : send_object(c, o);
  free(match);
  release(o);
  return failed;
}

static int bucket_request(Conn *c, Text *body) {
  if (!strcmp(c->method, "HEAD")) return reply(c, 200, "x-amz-bucket-region: us-east-1\r\n", NULL);
  if (!strcmp(c->method, "PUT")) return reply(c, 200, "", NULL);
  if (!strcmp(c->method, "POST") && has(c, "delete")) return delete_many(c, body);
  if (strcmp(c->method, "GET")) return refuse(c, 501);
  if (has(c, "location")) return reply(c, 200, "", XML "<LocationConstraint" XMLNS ">us-east-1</LocationConstraint>");
  if (has(c, "versioning")) return reply(c, 200, "", XML "<VersioningConfiguration" XMLNS "/>");
  if (has(c, "uploads"))
    return reply(c, 200, "",
                 XML "<ListMultipartUploadsResult" XMLNS "><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>");
  if (has(c, "object-lock")) return refuse_as(c, 404, "ObjectLockConfigurationNotFoundError");
  return list(c);
}

// One request and its answer. Not 0: the connection is over.
static int serve_one(Conn *c) {
  char *head = take_until(c, "\r\n\r\n");
  if (!head) return -1;
  if (delay_us) usleep(delay_us);
  char *line = strndup(head, strcspn(head, "\r\n"));
  c->head = strdup(head);
  c->method[0] = 0;
  char *target = malloc(strlen(line) + 1);
  if (sscanf(line, "%7s %s", c->method, target) != 2) *target = 0;
  free(line);
  char *query = strchr(target, '?');
  c->query = query ? query + 1 : "";
  if (query) *query = 0;
  url_decode(target, 0);
  c->name = target + (*target == '/');
  char *slash = strchr(c->name, '/');
  c->key = slash ? slash + 1 : "";
  char *upload = param(c, "uploadId");
  int is_put = !strcmp(c->method, "PUT"), is_post = !strcmp(c->method, "POST");
  Text body = {0};
  long long size = 0;
  int failed = take_body(c, (is_put && !upload) || is_post, &body, &size);
  if (failed) {}
  else if (!*c->key) failed = bucket_request(c, &body);
  else if (upload) failed = go_on_with_upload(c, upload, size);
  else if (is_put) failed = put_object(c, &body, size);
  else if (is_post && has(c, "uploads")) failed = begin_upload(c);
  else if (!strcmp(c->method, "DELETE")) {
    forget(c->name);
    failed = reply(c, 204, "", NULL);
  } else if (!strcmp(c->method, "GET") || !strcmp(c->method, "HEAD")) failed = read_object(c);
  else failed = refuse(c, 501);
  free(body.data);
  free(upload);
  free(target);
  free(c->head);
  return failed;
}

static void *serve(void *arg) {
  Conn conn = {.sock = (int)(long)arg}, *c = &conn;
  int one = 1;
  setsockopt(c->sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (get_bps) {
    unsigned rate = get_bps;
    setsockopt(c->sock, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
  }
  if (pipe(c->pipe)) {
    close(c->sock);
    return NULL;
  }
  fcntl(c->pipe[0], F_SETPIPE_SZ, 1 << 20);
  c->buf = malloc(HEADER + 1);
  if (tls) {
    c->block = malloc(BLOCK);
    c->ssl = SSL_new(tls);
    SSL_set_fd(c->ssl, c->sock);
  }
  if (!tls || SSL_accept(c->ssl) > 0) {
    while (!serve_one(c)) {}
  }
  if (c->ssl) SSL_free(c->ssl);
  free(c->block);
  free(c->buf);
  close(c->pipe[0]);
  close(c->pipe[1]);
  close(c->sock);
  return NULL;
}

static int usage(const char *what) {
  fprintf(stderr, "s3sink: %s\nusage: s3sink PORT FILE [DELAY_US]\n", what);
  return 2;
}

int main(int argc, char **argv) {
  if (argc < 3) return usage("a port and a file are needed");
  signal(SIGPIPE, SIG_IGN);
  file_fd = open(argv[2], O_RDONLY);
  devnull = open("/dev/null", O_WRONLY);
  struct stat st;
  if (file_fd < 0 || fstat(file_fd, &st) || !st.st_size) return usage("the file cannot be read, or is empty");
  file_size = st.st_size;
  file_map = mmap(NULL, file_size, PROT_READ, MAP_SHARED, file_fd, 0);
  if (file_map == MAP_FAILED) return usage("the file cannot be mapped");
  if (argc > 3) delay_us = atol(argv[3]);
  if (getenv("PUT_MBPS")) put_bps = atof(getenv("PUT_MBPS")) * 1e6;
  if (getenv("GET_MBPS")) get_bps = atof(getenv("GET_MBPS")) * 1e6;
  no_checksums = getenv("NO_CHECKSUMS") != NULL;
  if (getenv("TLS_CERT")) {
    const char *key = getenv("TLS_KEY");
    tls = SSL_CTX_new(TLS_server_method());
    if (!key || SSL_CTX_use_certificate_chain_file(tls, getenv("TLS_CERT")) <= 0 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) <= 0)
      return usage("TLS_CERT or TLS_KEY is no good");
  }
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (void *)&at, sizeof at) || listen(listener, 1024)) return usage("the port cannot be had");
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&detached, 1 << 18);
  for (;;) {
    int sock = accept(listener, NULL, NULL);
    pthread_t thread;
    if (sock >= 0 && pthread_create(&thread, &detached, serve, (void *)(long)sock)) close(sock);
  }
}
