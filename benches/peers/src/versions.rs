//! Versions of what this was built with.

/// The version of a package in the lock file.
pub fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next().and_then(|line| line.split('"').nth(1)).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn packages_have_versions() {
        for package in ["segmenta", "linfa-clustering", "kodama"] {
            assert!(version(package).starts_with("0."), "{package}");
        }
        assert_eq!(version("no such package"), "unknown");
    }
}
