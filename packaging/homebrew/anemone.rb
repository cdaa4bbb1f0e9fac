# Homebrew's formula, from a checkout or an archive of it: brew install --build-from-source ./anemone.rb
# NOT MEASURED: no Mac was at hand. Its syntax, and that it names what tools/packages/brew.txt does, is checked by a test.
class Anemone < Formula
  desc "Convert, compress, inspect and run Core ML models on Linux and macOS"
  homepage "https://anemone.invalid/"
  license "Apache-2.0"
  head "https://anemone.invalid/anemone.git", branch: "main"

  depends_on "cli11" => :build
  depends_on "cmake" => :build
  depends_on "ninja" => :build
  depends_on "nlohmann-json" => :build
  depends_on "cpp-httplib"
  depends_on "fmt"
  depends_on "highway"
  depends_on "jpeg-turbo"
  depends_on "libpng"
  depends_on "libyaml"
  depends_on "openssl@3"
  depends_on "protobuf"
  depends_on "sqlite"
  depends_on "xxhash"

  uses_from_macos "curl"

  def install
    system "cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DANEMONE_TESTS=OFF", "-DANEMONE_BENCH=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  test do
    (testpath/"twice.mil").write "func main<ios17>(tensor<fp32, [1, 4]> x) {\n  y = mul(x = x, y = 2.0);\n} -> (y);\n"
    assert_match "y", shell_output("#{bin}/anemone inspect twice.mil --json")
    assert_match version.to_s, shell_output("#{bin}/anemone --version")
  end
end
