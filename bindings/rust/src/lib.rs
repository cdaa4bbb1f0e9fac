//! Run Core ML and ONNX models anywhere, by Anemone's C interface.
//!
//! ```no_run
//! use anemone::{Session, TensorMut, TensorRef};
//!
//! let session = Session::open("model.mlpackage", r#"{"backend": "auto"}"#)?;
//! let image = vec![0.0f32; 1 * 3 * 224 * 224];
//! let mut logits = vec![0.0f32; 1000];
//! let report = session.run(
//!     &[("image", TensorRef::new(&image, &[1, 3, 224, 224]))],
//!     &mut [("logits", TensorMut::new(&mut logits, &[1, 1000]))],
//!     None,
//! )?;
//! println!("{} answered", report.backend);
//! # Ok::<(), anemone::Error>(())
//! ```
//!
//! Threads: a [`Session`] serves any number of threads at once; a [`State`] serves one call at a time, which the borrow
//! checker sees to. The options of `Session::open` are those of `docs/options.md`, "Session" and "Load".

mod ffi;

use std::ffi::{CStr, CString};
use std::fmt;
use std::marker::PhantomData;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr;

/// What went wrong. `code` is a stable name ("usage", "invalid_input" ...); `text` has place, message and advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub exit_code: i32,
    pub code: String,
    pub text: String,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// Element types that memory can be bound with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DType {
    Other = 0,
    Float32 = 1,
    Int32 = 2,
    Int16 = 3,
    UInt16 = 4,
    Int8 = 5,
    UInt8 = 6,
    Bool = 7,
}

impl DType {
    fn from_c(value: c_int) -> DType {
        match value {
            1 => DType::Float32,
            2 => DType::Int32,
            3 => DType::Int16,
            4 => DType::UInt16,
            5 => DType::Int8,
            6 => DType::UInt8,
            7 => DType::Bool,
            _ => DType::Other,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Rust's types for the elements of tensors.
pub trait Element: Copy + sealed::Sealed {
    const DTYPE: DType;
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident),*) => {
        $(impl sealed::Sealed for $rust {}
          impl Element for $rust { const DTYPE: DType = DType::$dtype; })*
    };
}
// No bool: a model may write any byte, and a Rust bool that is neither 0 nor 1 is undefined behavior. Read it as u8.
elements!(f32 => Float32, i32 => Int32, i16 => Int16, u16 => UInt16, i8 => Int8, u8 => UInt8);

/// One input or output. A dimension of -1 takes any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<i64>,
}

fn check_count(count: usize, shape: &[i64]) {
    let wanted = shape
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(usize::try_from(size).ok()?));
    assert_eq!(Some(count), wanted, "the shape {shape:?} does not have {count} elements");
}

/// An input in the caller's memory, row-major.
pub struct TensorRef<'a> {
    data: *const c_void,
    dtype: DType,
    shape: &'a [i64],
    memory: PhantomData<&'a [u8]>,
}

impl<'a> TensorRef<'a> {
    /// # Panics
    /// When `data` does not have as many elements as `shape` says.
    pub fn new<T: Element>(data: &'a [T], shape: &'a [i64]) -> Self {
        check_count(data.len(), shape);
        TensorRef { data: data.as_ptr().cast(), dtype: T::DTYPE, shape, memory: PhantomData }
    }
}

/// An output in the caller's memory, row-major.
pub struct TensorMut<'a> {
    data: *mut c_void,
    dtype: DType,
    shape: &'a [i64],
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> TensorMut<'a> {
    /// # Panics
    /// When `data` does not have as many elements as `shape` says.
    pub fn new<T: Element>(data: &'a mut [T], shape: &'a [i64]) -> Self {
        check_count(data.len(), shape);
        TensorMut { data: data.as_mut_ptr().cast(), dtype: T::DTYPE, shape, memory: PhantomData }
    }
}

/// Who answered a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReport {
    pub backend: &'static str,
    pub compute_units: &'static str,
    pub planned_unit: &'static str,
    pub observed_unit: &'static str,
    pub fallback_reason: &'static str,
    pub circuit_state: &'static str,
    /// 0: no fallback.
    pub fallback_unix_ns: i64,
    pub duration_ns: i64,
    pub attempts: i32,
    pub experimental: bool,
}

/// A stateful model's states between calls.
pub struct State {
    raw: *mut ffi::State,
}

// SAFETY: the library lets any thread use a state, one call at a time; `run` borrows it mutably.
unsafe impl Send for State {}

impl State {
    pub fn new() -> Self {
        // SAFETY: no arguments.
        State { raw: unsafe { ffi::anemone_state_create() } }
    }
}

impl Default for State {
    fn default() -> Self {
        State::new()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: made by anemone_state_create, freed once.
        unsafe { ffi::anemone_state_free(self.raw) }
    }
}

struct Binding {
    raw: *mut ffi::Binding,
}

impl Drop for Binding {
    fn drop(&mut self) {
        // SAFETY: made by anemone_binding_create, freed once.
        unsafe { ffi::anemone_binding_free(self.raw) }
    }
}

/// A model that serves: it chooses a backend, and goes on answering when the backend fails.
pub struct Session {
    raw: *mut ffi::Session,
}

// SAFETY: anemone.h: a session serves any number of threads at once.
unsafe impl Send for Session {}
unsafe impl Sync for Session {}

impl Session {
    /// `model`: an .onnx, .mlpackage, .mlmodel or .mlmodelc path, or a catalog name. `options`: "" or a JSON object.
    pub fn open(model: &str, options: &str) -> Result<Session, Error> {
        let model = text(model)?;
        let options = if options.is_empty() { None } else { Some(text(options)?) };
        let mut raw = ptr::null_mut();
        let mut error = ptr::null_mut();
        // SAFETY: the strings end with NUL and live through the call; both results are written at most once.
        let code = unsafe {
            ffi::anemone_session_open(
                model.as_ptr(),
                options.as_ref().map_or(ptr::null(), |json| json.as_ptr()),
                &mut raw,
                &mut error,
            )
        };
        check(code, error)?;
        Ok(Session { raw })
    }

    pub fn inputs(&self) -> Vec<Feature> {
        // SAFETY: the session is open.
        let count = unsafe { ffi::anemone_session_input_count(self.raw) };
        self.features(count, ffi::anemone_session_input_name, ffi::anemone_session_input_type)
    }

    pub fn outputs(&self) -> Vec<Feature> {
        // SAFETY: the session is open.
        let count = unsafe { ffi::anemone_session_output_count(self.raw) };
        self.features(count, ffi::anemone_session_output_name, ffi::anemone_session_output_type)
    }

    /// The names of a classifier's classes; none for other models.
    pub fn classes(&self) -> Vec<String> {
        // SAFETY: the session is open, and the indices are those that exist.
        unsafe {
            (0..ffi::anemone_session_class_count(self.raw))
                .map(|index| owned(ffi::anemone_session_class_name(self.raw, index)))
                .collect()
        }
    }

    /// Reads the inputs and writes the outputs; outputs that are not bound are dropped. After a failure the outputs hold
    /// unspecified numbers.
    pub fn run(
        &self,
        inputs: &[(&str, TensorRef<'_>)],
        outputs: &mut [(&str, TensorMut<'_>)],
        state: Option<&mut State>,
    ) -> Result<CallReport, Error> {
        // SAFETY: no arguments.
        let binding = Binding { raw: unsafe { ffi::anemone_binding_create() } };
        let mut error = ptr::null_mut();
        for (name, tensor) in inputs {
            let name = text(name)?;
            // SAFETY: the tensor's memory has as many elements as its shape says and outlives the binding.
            let code = unsafe {
                ffi::anemone_binding_input(
                    binding.raw,
                    name.as_ptr(),
                    tensor.dtype as c_int,
                    tensor.shape.as_ptr(),
                    tensor.shape.len(),
                    tensor.data,
                    &mut error,
                )
            };
            check(code, error)?;
        }
        for (name, tensor) in outputs.iter_mut() {
            let name = text(name)?;
            // SAFETY: as above, and borrowed mutably.
            let code = unsafe {
                ffi::anemone_binding_output(
                    binding.raw,
                    name.as_ptr(),
                    tensor.dtype as c_int,
                    tensor.shape.as_ptr(),
                    tensor.shape.len(),
                    tensor.data,
                    &mut error,
                )
            };
            check(code, error)?;
        }
        let mut report = ffi::CallReport {
            struct_size: std::mem::size_of::<ffi::CallReport>(),
            backend: ptr::null(),
            compute_units: ptr::null(),
            planned_unit: ptr::null(),
            observed_unit: ptr::null(),
            fallback_reason: ptr::null(),
            circuit_state: ptr::null(),
            fallback_unix_ns: 0,
            duration_ns: 0,
            attempts: 0,
            experimental: 0,
        };
        let state = state.map_or(ptr::null_mut(), |state| state.raw);
        // SAFETY: everything lives through the call; the state is borrowed mutably.
        let code = unsafe { ffi::anemone_session_run(self.raw, binding.raw, state, &mut report, &mut error) };
        check(code, error)?;
        Ok(CallReport {
            backend: literal(report.backend),
            compute_units: literal(report.compute_units),
            planned_unit: literal(report.planned_unit),
            observed_unit: literal(report.observed_unit),
            fallback_reason: literal(report.fallback_reason),
            circuit_state: literal(report.circuit_state),
            fallback_unix_ns: report.fallback_unix_ns,
            duration_ns: report.duration_ns,
            attempts: report.attempts,
            experimental: report.experimental != 0,
        })
    }

    /// The counts so far as JSON (schema anemone.telemetry).
    pub fn telemetry(&self) -> String {
        // SAFETY: the session is open; the string is freed once.
        unsafe {
            let raw = ffi::anemone_session_telemetry(self.raw);
            let json = owned(raw);
            ffi::anemone_string_free(raw);
            json
        }
    }

    fn features(
        &self,
        count: usize,
        name: unsafe extern "C" fn(*const ffi::Session, usize) -> *const c_char,
        type_of: unsafe extern "C" fn(*const ffi::Session, usize, *mut c_int, *mut i64, usize) -> c_int,
    ) -> Vec<Feature> {
        (0..count)
            .map(|index| {
                let mut dtype: c_int = 0;
                let mut shape = [0i64; 8];
                // SAFETY: the index exists, and the shape has the capacity that is named.
                let (name, rank) = unsafe {
                    (
                        owned(name(self.raw, index)),
                        type_of(self.raw, index, &mut dtype, shape.as_mut_ptr(), shape.len()),
                    )
                };
                let rank = usize::try_from(rank).unwrap_or(0).min(shape.len());
                Feature { name, dtype: DType::from_c(dtype), shape: shape[..rank].to_vec() }
            })
            .collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: calls borrow the session, so none is in progress.
        unsafe { ffi::anemone_session_close(self.raw) }
    }
}

/// "0.1.0".
pub fn version() -> &'static str {
    // SAFETY: a literal.
    literal(unsafe { ffi::anemone_version() })
}

fn text(value: &str) -> Result<CString, Error> {
    CString::new(value).map_err(|_| Error {
        exit_code: 2,
        code: "usage".to_string(),
        text: "a name or an option has a NUL character".to_string(),
    })
}

fn owned(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: the library's strings end with NUL.
    unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned()
}

// Only for strings that anemone.h calls literals.
fn literal(raw: *const c_char) -> &'static str {
    if raw.is_null() {
        return "";
    }
    // SAFETY: they end with NUL and are valid forever.
    unsafe { CStr::from_ptr(raw) }.to_str().unwrap_or("")
}

fn check(exit_code: c_int, error: *mut ffi::Error) -> Result<(), Error> {
    if exit_code == 0 {
        return Ok(());
    }
    // SAFETY: a call that failed has set the error, which is freed once, after it was read.
    let failure = unsafe {
        Error {
            exit_code,
            code: owned(ffi::anemone_error_code(error)),
            text: owned(ffi::anemone_error_text(error)),
        }
    };
    // SAFETY: see above.
    unsafe { ffi::anemone_error_free(error) };
    Err(failure)
}
