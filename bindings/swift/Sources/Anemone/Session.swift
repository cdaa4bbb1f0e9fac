import CAnemone

/// What went wrong. `code` is a stable name ("usage", "invalid_input" ...); `text` has place, message and advice.
public struct AnemoneError: Error, CustomStringConvertible {
  public let exitCode: Int32
  public let code: String
  public let text: String
  public var description: String { text }

  init(exitCode: Int32, taking error: OpaquePointer?) {
    self.exitCode = exitCode
    code = String(cString: anemone_error_code(error))
    text = String(cString: anemone_error_text(error))
    anemone_error_free(error)
  }
}

/// One input or output. A dimension of -1 takes any size.
public struct Feature: Equatable {
  public let name: String
  public let dtype: anemone_dtype
  public let shape: [Int64]
}

/// A dense float32 tensor, row-major.
public struct Tensor: Equatable {
  public var shape: [Int64]
  public var values: [Float]

  /// Traps when there are not as many values as the shape says.
  public init(shape: [Int64], values: [Float]) {
    precondition(values.count == shape.reduce(1) { $0 * Int($1) }, "\(values.count) values for \(shape)")
    self.shape = shape
    self.values = values
  }

  public init(zeros shape: [Int64]) {
    self.init(shape: shape, values: [Float](repeating: 0, count: shape.reduce(1) { $0 * Int($1) }))
  }
}

/// Who answered a call.
public struct CallReport {
  public let backend: String
  public let plannedUnit: String
  public let observedUnit: String
  public let fallbackReason: String
  public let circuitState: String
  public let durationNanoseconds: Int64
  public let attempts: Int32
}

/// A stateful model's states between calls. For one call at a time.
public final class State {
  let raw = anemone_state_create()
  public init() {}
  deinit { anemone_state_free(raw) }
}

/// A model that serves: it chooses a backend, and goes on answering when the backend fails. Any number of threads may use
/// one at once.
public final class Session: @unchecked Sendable {
  private let raw: OpaquePointer

  /// `model`: an .onnx, .mlpackage, .mlmodel or .mlmodelc path, or a catalog name. `options`: a JSON object of the options
  /// of docs/options.md, "Session" and "Load".
  public init(model: String, options: String? = nil) throws {
    var session: OpaquePointer?
    var error: OpaquePointer?
    let code = anemone_session_open(model, options, &session, &error)
    guard code == 0, let session else { throw AnemoneError(exitCode: code, taking: error) }
    raw = session
  }

  deinit { anemone_session_close(raw) }

  public var inputs: [Feature] {
    (0..<anemone_session_input_count(raw)).map { index in
      feature(anemone_session_input_name(raw, index)) { anemone_session_input_type(raw, index, $0, $1, 8) }
    }
  }

  public var outputs: [Feature] {
    (0..<anemone_session_output_count(raw)).map { index in
      feature(anemone_session_output_name(raw, index)) { anemone_session_output_type(raw, index, $0, $1, 8) }
    }
  }

  /// Runs the model; `outputs` says which outputs are wanted, with the shapes they have.
  @discardableResult
  public func run(_ inputs: [String: Tensor], into outputs: inout [String: Tensor], state: State? = nil) throws -> CallReport {
    let binding = anemone_binding_create()
    defer { anemone_binding_free(binding) }
    // The memory that is bound must not move until the call has ended.
    var buffers: [UnsafeMutablePointer<Float>] = []
    defer { buffers.forEach { $0.deallocate() } }
    func bind(_ name: String, _ tensor: Tensor, output: Bool) throws -> UnsafeMutablePointer<Float> {
      let buffer = UnsafeMutablePointer<Float>.allocate(capacity: max(tensor.values.count, 1))
      buffer.initialize(from: tensor.values, count: tensor.values.count)
      buffers.append(buffer)
      var error: OpaquePointer?
      let rank = tensor.shape.count
      let code =
        output
        ? anemone_binding_output(binding, name, ANEMONE_FLOAT32, tensor.shape, rank, buffer, &error)
        : anemone_binding_input(binding, name, ANEMONE_FLOAT32, tensor.shape, rank, buffer, &error)
      if code != 0 { throw AnemoneError(exitCode: code, taking: error) }
      return buffer
    }
    for (name, tensor) in inputs { _ = try bind(name, tensor, output: false) }
    var written: [String: UnsafeMutablePointer<Float>] = [:]
    for (name, tensor) in outputs { written[name] = try bind(name, tensor, output: true) }
    var report = anemone_call_report()
    report.struct_size = MemoryLayout<anemone_call_report>.size
    var error: OpaquePointer?
    let code = anemone_session_run(raw, binding, state?.raw, &report, &error)
    if code != 0 { throw AnemoneError(exitCode: code, taking: error) }
    for (name, buffer) in written {
      let count = outputs[name]!.values.count
      outputs[name]!.values = Array(UnsafeBufferPointer(start: buffer, count: count))
    }
    return CallReport(
      backend: String(cString: report.backend), plannedUnit: String(cString: report.planned_unit),
      observedUnit: String(cString: report.observed_unit), fallbackReason: String(cString: report.fallback_reason),
      circuitState: String(cString: report.circuit_state), durationNanoseconds: report.duration_ns,
      attempts: report.attempts)
  }

  /// The counts so far as JSON (schema anemone.telemetry).
  public var telemetry: String {
    let text = anemone_session_telemetry(raw)
    defer { anemone_string_free(text) }
    return text.map { String(cString: $0) } ?? ""
  }

  private func feature(
    _ name: UnsafePointer<CChar>?, _ typeOf: (UnsafeMutablePointer<anemone_dtype>, UnsafeMutablePointer<Int64>) -> Int32
  ) -> Feature {
    var dtype = ANEMONE_OTHER
    var shape = [Int64](repeating: 0, count: 8)
    let rank = Int(max(0, min(8, typeOf(&dtype, &shape))))
    return Feature(name: name.map { String(cString: $0) } ?? "", dtype: dtype, shape: Array(shape[..<rank]))
  }
}
