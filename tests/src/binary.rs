//! Where the executable under test is.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The `loquent` of the same profile as this test, built once per run.
///
/// # Panics
/// It does not build.
pub fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os("TEST_LOQUENT_BINARY") {
            return path.into();
        }
        // The test runs from <target>/<profile>/deps.
        let test = std::env::current_exe().expect("the test's own path");
        let profile = test.ancestors().nth(2).expect("a profile's folder").to_owned();
        let target = profile.parent().expect("a target folder");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "loquent", "--target-dir"]).arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo");
        assert!(built.success(), "loquent does not build");
        profile.join("loquent")
    })
}
