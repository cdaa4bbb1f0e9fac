//! The C interface, as anemone.h declares it.

use std::os::raw::{c_char, c_int, c_void};

#[repr(C)]
pub struct Error {
    _private: [u8; 0],
}
#[repr(C)]
pub struct Session {
    _private: [u8; 0],
}
#[repr(C)]
pub struct Binding {
    _private: [u8; 0],
}
#[repr(C)]
pub struct State {
    _private: [u8; 0],
}

#[repr(C)]
pub struct CallReport {
    pub struct_size: usize,
    pub backend: *const c_char,
    pub compute_units: *const c_char,
    pub planned_unit: *const c_char,
    pub observed_unit: *const c_char,
    pub fallback_reason: *const c_char,
    pub circuit_state: *const c_char,
    pub fallback_unix_ns: i64,
    pub duration_ns: i64,
    pub attempts: i32,
    pub experimental: i32,
}

extern "C" {
    pub fn anemone_version() -> *const c_char;
    pub fn anemone_error_code(error: *const Error) -> *const c_char;
    pub fn anemone_error_text(error: *const Error) -> *const c_char;
    pub fn anemone_error_free(error: *mut Error);
    pub fn anemone_session_open(
        model: *const c_char,
        options_json: *const c_char,
        session: *mut *mut Session,
        error: *mut *mut Error,
    ) -> c_int;
    pub fn anemone_session_close(session: *mut Session);
    pub fn anemone_session_input_count(session: *const Session) -> usize;
    pub fn anemone_session_output_count(session: *const Session) -> usize;
    pub fn anemone_session_input_name(session: *const Session, index: usize) -> *const c_char;
    pub fn anemone_session_output_name(session: *const Session, index: usize) -> *const c_char;
    pub fn anemone_session_input_type(
        session: *const Session,
        index: usize,
        dtype: *mut c_int,
        shape: *mut i64,
        capacity: usize,
    ) -> c_int;
    pub fn anemone_session_output_type(
        session: *const Session,
        index: usize,
        dtype: *mut c_int,
        shape: *mut i64,
        capacity: usize,
    ) -> c_int;
    pub fn anemone_session_class_count(session: *const Session) -> usize;
    pub fn anemone_session_class_name(session: *const Session, index: usize) -> *const c_char;
    pub fn anemone_binding_create() -> *mut Binding;
    pub fn anemone_binding_free(binding: *mut Binding);
    pub fn anemone_binding_input(
        binding: *mut Binding,
        name: *const c_char,
        dtype: c_int,
        shape: *const i64,
        rank: usize,
        data: *const c_void,
        error: *mut *mut Error,
    ) -> c_int;
    pub fn anemone_binding_output(
        binding: *mut Binding,
        name: *const c_char,
        dtype: c_int,
        shape: *const i64,
        rank: usize,
        data: *mut c_void,
        error: *mut *mut Error,
    ) -> c_int;
    pub fn anemone_state_create() -> *mut State;
    pub fn anemone_state_free(state: *mut State);
    pub fn anemone_session_run(
        session: *mut Session,
        binding: *const Binding,
        state: *mut State,
        report: *mut CallReport,
        error: *mut *mut Error,
    ) -> c_int;
    pub fn anemone_session_telemetry(session: *const Session) -> *mut c_char;
    pub fn anemone_string_free(text: *mut c_char);
}
