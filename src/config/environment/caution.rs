//! What is risky about a `.env` file, in words: such files come with whatever directory a command runs in.

use super::Environment;

/// Where they stand, others who may read the file learn a secret.
const SECRETS: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
/// They hold a password where there is an `@` in them.
const PROXIES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
/// They say who is trusted to be the store.
const AUTHORITIES: [&str; 3] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"];
/// They name files that run commands, and servers that are sent tokens: AWS's chain takes them from the process alone.
const OF_THE_PROCESS: [&str; 15] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
];

impl Environment {
    /// Whether others on this machine may read a secret out of the file; `None` where they may not.
    pub fn open_secret(&self) -> Option<String> {
        let path = self.readable_by_others.as_ref()?;
        let password = |name: &&&str| self.dotenv.get(**name).is_some_and(|value| value.rsplit_once('@').is_some());
        let held = SECRETS.iter().find(|name| self.dotenv.contains_key(**name));
        let name = held.or_else(|| PROXIES.iter().find(password))?;
        let shown = path.display();
        Some(format!("'{shown}' holds a secret ({name}), and others on this machine may read it: chmod 600 '{shown}'"))
    }

    /// That the endpoint in the file is sent what credentials from elsewhere sign; `None` where both come from one place.
    /// `variables` are those that name an endpoint, the strongest first; `by_name`: a profile was asked for, whatever keys
    /// there are.
    pub fn foreign_endpoint(&self, variables: &[&str], by_name: bool) -> Option<String> {
        let (variable, endpoint) = self.first_of(variables)?;
        if self.is_of_process(variable) || self.has_own_keys(by_name) {
            return None;
        }
        let place = place(&endpoint).unwrap_or_else(|| "a place that is none".to_owned());
        Some(format!(
            "{variable} of the .env file sends what your credentials sign to {place}, and they come from elsewhere: set \
             {variable} in the environment if that is meant"
        ))
    }

    /// That the file says through whom the store is reached, or who is believed to be it, with credentials from elsewhere;
    /// `None` where both come from one place. `by_name` as above.
    pub fn foreign_way(&self, by_name: bool) -> Option<String> {
        if self.has_own_keys(by_name) {
            return None;
        }
        let is_named = |name: &&str| self.dotenv.contains_key(*name) && !self.is_of_process(name);
        // The process's own counts in either case.
        let is_proxy = |pair: &&[&'static str]| !pair.iter().any(|name| self.is_of_process(name));
        let proxies = PROXIES.chunks(2).filter(is_proxy).filter_map(|pair| pair.iter().copied().find(is_named));
        let proxies = proxies.map(|name| match self.get(name).as_deref().and_then(place) {
            Some(place) => format!("{name} ({place})"),
            None => name.to_owned(),
        });
        let trust = AUTHORITIES.into_iter().filter(|name| is_named(name)).map(str::to_owned);
        let named: Vec<String> = proxies.chain(trust).collect();
        (!named.is_empty()).then(|| {
            format!(
                "{} of the .env file: by this way goes what your credentials sign, and they come from elsewhere: set it in the \
                 environment if that is meant",
                named.join(", ")
            )
        })
    }

    /// Whether credentials and what else the file says are of one hand. Whoever wrote the same secret into the file has it.
    fn has_own_keys(&self, by_name: bool) -> bool {
        let same = |name: &str| self.dotenv.get(name).is_some_and(|value| self.real.get(name) == Some(value));
        let not_beside = self.dotenv.contains_key("AWS_ACCESS_KEY_ID") && !self.real.contains_key("AWS_ACCESS_KEY_ID");
        let all = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].into_iter();
        let mut all = all.chain(self.real.contains_key("AWS_SESSION_TOKEN").then_some("AWS_SESSION_TOKEN"));
        !by_name && (not_beside || all.all(same))
    }

    /// Those variables of the file by which AWS's chain would find credentials, and does not.
    pub fn unused_of_aws(&self) -> Option<String> {
        let unused = |name: &&&str| self.dotenv.contains_key(**name) && !self.real.contains_key(**name);
        let unused: Vec<&str> = OF_THE_PROCESS.iter().filter(unused).copied().collect();
        (!unused.is_empty()).then(|| {
            format!(
                "{} of the .env file: not used, since such a variable can run commands or give a token away; set it in the \
                 environment",
                unused.join(", ")
            )
        })
    }
}

/// Scheme, host and port of a URL as a client would connect to them: an `@` behind the host, in a path, names nobody. `None`
/// where these are none, since a password may be what stands there.
fn place(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://").map_or(("", url.trim()), |(scheme, rest)| (scheme, rest));
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (place, ""),
    };
    let is_name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_address = |host: &str| host.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = !host.is_empty() && inside.map_or_else(|| is_name(host), is_address);
    let is_whole = is_host && port.bytes().all(|byte| byte.is_ascii_digit());
    let scheme = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known));
    is_whole.then(|| scheme.map_or_else(|| place.to_owned(), |scheme| format!("{scheme}://{place}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn load(real: &[(&str, &str)], file: &str, mode: u32) -> Environment {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        fs::write(&path, file).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let real = real.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::from_pairs(real).with_dotenv(&path, true).unwrap()
    }

    #[test]
    fn only_a_secret_that_others_may_read_is_told_of() {
        for (file, mode, told) in [
            ("AWS_SECRET_ACCESS_KEY=hunter2\n", 0o600, false),
            ("AWS_SECRET_ACCESS_KEY=hunter2\n", 0o640, true),
            ("AWS_SESSION_TOKEN=hunter2\n", 0o604, true),
            ("AWS_SECRET_ACCESS_KEY=\nAWS_REGION=r\n", 0o644, false),
            ("HTTPS_PROXY=http://me:hunter2@proxy:8080\n", 0o644, true),
            ("HTTPS_PROXY=http://proxy:8080\n", 0o644, false),
        ] {
            let said = load(&[], file, mode).open_secret();
            assert_eq!(said.is_some(), told, "{file} {mode:o}");
            assert!(!said.unwrap_or_default().contains("hunter2"));
        }
    }

    #[test]
    fn an_endpoint_of_the_file_goes_with_keys_of_the_file() {
        let of = ["S3_ENDPOINT", "AWS_ENDPOINT_URL"];
        let key = ("AWS_ACCESS_KEY_ID", "id");
        let both = "S3_ENDPOINT=http://h\nAWS_ACCESS_KEY_ID=id\n";
        assert_eq!(load(&[], both, 0o600).foreign_endpoint(&of, false), None);
        for (real, by_name) in [(&[key][..], false), (&[], true)] {
            assert!(load(real, both, 0o600).foreign_endpoint(&of, by_name).unwrap().contains("to http://h,"));
        }
        assert!(load(&[], "AWS_ENDPOINT_URL=http://h\n", 0o600).foreign_endpoint(&of, false).is_some());
        let whole = format!("{both}AWS_SECRET_ACCESS_KEY=s\n");
        for (secret, told) in [("s", false), ("t", true)] {
            let real = [key, ("AWS_SECRET_ACCESS_KEY", secret)];
            assert_eq!(
                load(&real, &whole, 0o600).foreign_endpoint(&of, false).is_some(),
                told,
                "the same keys, or others"
            );
        }
        let real = [key, ("S3_ENDPOINT", "http://own")];
        assert_eq!(load(&real, both, 0o600).foreign_endpoint(&of, false), None);
    }

    #[test]
    fn the_host_is_told_that_is_connected_to() {
        for (url, told) in [
            ("http://127.0.0.1:9/@s3.us-east-1.amazonaws.com", "http://127.0.0.1:9"),
            ("http://me:hunter2@h:9/x@y?@z#@w", "http://h:9"),
            ("h:9", "h:9"),
            ("me:hunter2@h", "h"),
            (" https://h ", "https://h"),
            ("http://[fd00::7]:9/x", "http://[fd00::7]:9"),
            ("HTTP://[::1]", "http://[::1]"),
        ] {
            assert_eq!(place(url).as_deref(), Some(told), "{url}");
        }
        for url in ["http://me:hunter2/x@h:9", "http://me:hunter2#x@h", "http://hunter2 x@", "http://[hunter2", ""] {
            assert_eq!(place(url), None, "{url}");
        }
    }

    #[test]
    fn a_way_of_the_file_goes_with_keys_of_the_file() {
        let key = ("AWS_ACCESS_KEY_ID", "id");
        // The token is not in the file.
        let whole = [key, ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
        for (real, file, told) in [
            (&[key][..], "HTTPS_PROXY=http://me:hunter2@p:1\n", Some("HTTPS_PROXY (http://p:1) of the .env file")),
            (&[key, ("https_proxy", "http://own")], "HTTPS_PROXY=http://p:1\n", None),
            (&[key, ("AWS_CA_BUNDLE", "own")], "AWS_CA_BUNDLE=ca\n", None),
            (&[], "http_proxy=p:1\nSSL_CERT_FILE=ca\n", Some("http_proxy (p:1), SSL_CERT_FILE of the .env file")),
            (&[], "AWS_ACCESS_KEY_ID=id\nALL_PROXY=http://p:1\n", None),
            (&[key], "NO_PROXY=h\n", None),
            (&whole, "AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=s\nHTTP_PROXY=p\n", Some("HTTP_PROXY (p) of the")),
            (&whole[..2], "AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=s\nHTTP_PROXY=p\n", None),
        ] {
            let said = load(real, file, 0o600).foreign_way(false);
            assert_eq!(said.is_some(), told.is_some(), "{file}: {said:?}");
            assert!(said.unwrap_or_default().starts_with(told.unwrap_or_default()), "{file}");
        }
    }

    #[test]
    fn what_could_run_commands_is_named() {
        let file = "AWS_CONFIG_FILE=evil\nAWS_ROLE_ARN=arn\nAWS_PROFILE=p\n";
        let said = load(&[("AWS_ROLE_ARN", "mine")], file, 0o600).unused_of_aws().unwrap();
        assert!(said.starts_with("AWS_CONFIG_FILE of the .env file"), "{said}");
        assert_eq!(load(&[], "AWS_PROFILE=p\n", 0o600).unused_of_aws(), None);
    }
}
