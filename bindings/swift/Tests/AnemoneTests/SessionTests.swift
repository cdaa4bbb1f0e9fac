import XCTest

@testable import Anemone

final class SessionTests: XCTestCase {
  func testAMissingModelIsAnErrorWithACode() {
    XCTAssertThrowsError(try Session(model: "/nowhere.mlpackage")) { error in
      XCTAssertFalse((error as? AnemoneError)?.code.isEmpty ?? true)
    }
  }

  // ANEMONE_TEST_MODEL: a model with one float32 input and output of fixed shape.
  func testAModelRuns() throws {
    guard let model = ProcessInfo.processInfo.environment["ANEMONE_TEST_MODEL"] else { throw XCTSkip("no model") }
    let session = try Session(model: model, options: #"{"backend": "cpu"}"#)
    let input = try XCTUnwrap(session.inputs.first)
    let output = try XCTUnwrap(session.outputs.first)
    var outputs = [output.name: Tensor(zeros: output.shape)]
    let report = try session.run([input.name: Tensor(zeros: input.shape)], into: &outputs)
    XCTAssertEqual(report.backend, "cpu")
    XCTAssertTrue(outputs[output.name]!.values.allSatisfy { $0.isFinite })
  }
}
