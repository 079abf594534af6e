//! What is risky about a `.env` file, in words: such files come with whatever directory a command runs in.

use super::Environment;

/// Where they stand, others who may read the file learn a secret.
const SECRETS: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
/// They hold a password where there is an `@` in them.
const PROXIES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
/// They name files that run commands, and servers that are sent tokens: AWS's chain takes them from the process alone.
const OF_THE_PROCESS: [&str; 12] = [
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
    "AWS_ENDPOINT_URL_STS",
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
        // Whoever wrote the same secret into the file has it.
        let same = |name: &str| self.dotenv.get(name).is_some_and(|value| self.real.get(name) == Some(value));
        let not_beside = self.dotenv.contains_key("AWS_ACCESS_KEY_ID") && !self.real.contains_key("AWS_ACCESS_KEY_ID");
        let own_keys = !by_name && (not_beside || (same("AWS_ACCESS_KEY_ID") && same("AWS_SECRET_ACCESS_KEY")));
        if self.is_of_process(variable) || own_keys {
            return None;
        }
        let host = endpoint.rsplit_once('@').map_or(endpoint.as_str(), |(_, host)| host);
        Some(format!(
            "{variable} of the .env file sends what your credentials sign to {host}, and they come from elsewhere: set \
             {variable} in the environment if that is meant"
        ))
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
    fn what_could_run_commands_is_named() {
        let file = "AWS_CONFIG_FILE=evil\nAWS_ROLE_ARN=arn\nAWS_PROFILE=p\n";
        let said = load(&[("AWS_ROLE_ARN", "mine")], file, 0o600).unused_of_aws().unwrap();
        assert!(said.starts_with("AWS_CONFIG_FILE of the .env file"), "{said}");
        assert_eq!(load(&[], "AWS_PROFILE=p\n", 0o600).unused_of_aws(), None);
    }
}
