// swift-tools-version:5.9
// Anemone for Swift, over the installed C library (`cmake --install`), found by pkg-config.
import PackageDescription

let package = Package(
  name: "Anemone",
  platforms: [.macOS(.v12), .iOS(.v15)],
  products: [.library(name: "Anemone", targets: ["Anemone"])],
  targets: [
    .systemLibrary(
      name: "CAnemone", pkgConfig: "anemone", providers: [.brew(["anemone"]), .apt(["libanemone-dev"])]),
    .target(name: "Anemone", dependencies: ["CAnemone"]),
    .testTarget(name: "AnemoneTests", dependencies: ["Anemone"]),
  ]
)
