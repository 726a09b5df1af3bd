//! Arrays in files: raw little-endian numbers, whose shape and type the task says.

use std::fs;
use std::path::{Path, PathBuf};

use segmenta::ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Where an array lies and how to read it. The file may hold more rows than the shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    pub path: PathBuf,
    pub shape: Vec<usize>,
    /// As numpy calls it: `f8`, `f4`, `i8` or `i4`.
    pub dtype: String,
}

impl Spec {
    /// The numbers of an array of this type.
    fn read<T, const SIZE: usize>(
        &self,
        dtype: &str,
        number: fn([u8; SIZE]) -> T,
    ) -> Result<Vec<T>> {
        if self.dtype != dtype {
            return Err(format!("expected {dtype}, found {}", self.dtype).into());
        }
        let n: usize = self.shape.iter().product();
        let bytes = fs::read(&self.path)?;
        let (chunks, _) = bytes.as_chunks::<SIZE>();
        let found = chunks.len();
        let chunks = chunks.get(..n).ok_or_else(|| format!("{found} numbers of {n}"))?;
        Ok(chunks.iter().map(|&chunk| number(chunk)).collect())
    }

    pub fn f64s(&self) -> Result<Vec<f64>> {
        self.read("f8", f64::from_le_bytes)
    }

    pub fn i64s(&self) -> Result<Vec<i64>> {
        self.read("i8", i64::from_le_bytes)
    }

    /// Numbers that are stored with a sign they do not use.
    pub fn u64s(&self) -> Result<Vec<u64>> {
        self.read("i8", u64::from_le_bytes)
    }

    pub fn i32s(&self) -> Result<Vec<i32>> {
        self.read("i4", i32::from_le_bytes)
    }

    pub fn f32s(&self) -> Result<Vec<f32>> {
        self.read("f4", f32::from_le_bytes)
    }

    /// A matrix of these numbers.
    pub fn matrix<T>(&self, numbers: Vec<T>) -> Result<Array2<T>> {
        let &[n, d] = &self.shape[..] else { return Err("expected two axes".into()) };
        Ok(Array2::from_shape_vec((n, d), numbers)?)
    }
}

/// Numbers of an answer.
#[derive(Clone, Debug)]
pub enum Numbers {
    F64(Vec<f64>),
    I64(Vec<i64>),
    I32(Vec<i32>),
}

impl Numbers {
    /// Writes them to `folder/name.bin`.
    pub fn save(&self, folder: &Path, name: &str) -> Result<Spec> {
        let (dtype, len, bytes): (_, _, Vec<u8>) = match self {
            Numbers::F64(x) => ("f8", x.len(), bytes_of(x, f64::to_le_bytes)),
            Numbers::I64(x) => ("i8", x.len(), bytes_of(x, i64::to_le_bytes)),
            Numbers::I32(x) => ("i4", x.len(), bytes_of(x, i32::to_le_bytes)),
        };
        let path = folder.join(name).with_extension("bin");
        fs::write(&path, bytes)?;
        Ok(Spec { path, shape: vec![len], dtype: dtype.to_owned() })
    }
}

fn bytes_of<T: Copy, const SIZE: usize>(x: &[T], bytes: fn(T) -> [u8; SIZE]) -> Vec<u8> {
    x.iter().flat_map(|&x| bytes(x)).collect()
}
