//! Finds libanemone: in ANEMONE_LIB_DIR, else by pkg-config, else where the linker looks.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=ANEMONE_LIB_DIR");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let folder = std::env::var("ANEMONE_LIB_DIR").ok().or_else(|| {
        let found = Command::new("pkg-config")
            .args(["--variable=libdir", "anemone"])
            .output()
            .ok()?;
        let text = String::from_utf8(found.stdout).ok()?;
        (found.status.success() && !text.trim().is_empty()).then(|| text.trim().to_string())
    });
    if let Some(folder) = folder {
        println!("cargo:rustc-link-search=native={folder}");
        // Examples and tests find it at run time too.
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
    println!("cargo:rustc-link-lib=dylib=anemone");
}
