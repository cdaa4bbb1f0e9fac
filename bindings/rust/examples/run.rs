//! Opens a model and runs it once on ones: prints the sum of the first output.

use anemone::{Session, TensorMut, TensorRef};

fn count(shape: &[i64]) -> usize {
    shape.iter().map(|&size| size as usize).product()
}

fn main() -> Result<(), anemone::Error> {
    let path = std::env::args().nth(1).expect("a model");
    let session = Session::open(&path, r#"{"backend": "cpu"}"#)?;
    let (input, output) = (&session.inputs()[0], &session.outputs()[0]);
    let ones = vec![1.0f32; count(&input.shape)];
    let mut values = vec![0.0f32; count(&output.shape)];
    let report = session.run(
        &[(&input.name, TensorRef::new(&ones, &input.shape))],
        &mut [(&output.name, TensorMut::new(&mut values, &output.shape))],
        None,
    )?;
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    println!("anemone {}, {}: {} outputs, sum {:.6}", anemone::version(), report.backend, values.len(), sum);
    Ok(())
}
