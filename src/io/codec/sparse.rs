//! Sparse matrices as SciPy's `save_npz` writes them.

use bytes::Bytes;
use npyz::{DType, TypeChar};
use sprs::{CsMat, TriMat};

use super::{
    Codec, CodecError, Value,
    array::Array,
    npy::{archive, decode, header, members, within, write},
};
use crate::io::Allowance;

/// One sparse matrix as a `.sparse.npz` archive.
#[derive(Debug, Clone, Copy)]
pub struct SparseCodec;

impl Codec for SparseCodec {
    fn name(&self) -> &'static str {
        "sparse"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["sparse.npz"]
    }

    fn priority(&self) -> i32 {
        9
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Sparse(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        let Value::Sparse(matrix) = value else {
            return Err(CodecError::WrongKind { got: value.kind().into() });
        };
        let format: &[u8] = if matrix.is_csr() { b"csr" } else { b"csc" };
        let starts = matrix.proper_indptr();
        let shape = [matrix.rows() as i64, matrix.cols() as i64];
        let items: Vec<u8> = matrix.data().iter().flat_map(|item| item.to_le_bytes()).collect();
        let shape: Vec<u8> = shape.iter().flat_map(|length| length.to_le_bytes()).collect();
        let (indices, indptr) = (integers(matrix.indices()), integers(&starts));
        let members = [
            ("indices", write(indices.0, &[matrix.nnz()], &indices.1)),
            ("indptr", write(indptr.0, &[starts.len()], &indptr.1)),
            ("format", write("|S3", &[], format)),
            ("shape", write("<i8", &[2], &shape)),
            ("data", write("<f8", &[matrix.nnz()], &items)),
        ];
        archive(members.into_iter().map(|(name, bytes)| Ok((name, bytes?))))
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let members = members(bytes, allowance)?;
        let parts = Parts(&members);
        let format = text(parts.member("format")?).map_err(|error| within("format", error))?;
        let shape = parts.numbers("shape")?;
        let [rows, columns] = shape[..] else {
            return Err(CodecError::damaged("member `shape`", "it has not two numbers"));
        };
        let items = parts.floats("data")?;
        let shape = (rows, columns);
        let matrix = match format.as_str() {
            "csr" => rebuilt(parts.compressed(items)?, |(starts, indices, items)| {
                CsMat::new_from_unsorted(shape, starts, indices, items).map_err(|(.., error)| error)
            }),
            "csc" => rebuilt(parts.compressed(items)?, |(starts, indices, items)| {
                CsMat::new_from_unsorted_csc(shape, starts, indices, items)
                    .map_err(|(.., error)| error)
            }),
            "coo" => {
                // The starts of all rows are kept, also of those without an item.
                let room = (rows as u64).saturating_add(1).saturating_mul(8);
                let spent = allowance.spend(room);
                spent.map_err(|error| CodecError::read("member `shape`", error))?;
                return parts.coordinates(shape, items).map(Value::Sparse);
            }
            other => Err(CodecError::Unsupported { what: format!("the layout `{other}`") }),
        };
        matrix.map(Value::Sparse)
    }
}

type Compressed = (Vec<usize>, Vec<usize>, Vec<f64>);

fn rebuilt(
    parts: Compressed,
    build: impl Fn(Compressed) -> Result<CsMat<f64>, sprs::errors::StructureError>,
) -> Result<CsMat<f64>, CodecError> {
    build(parts).map_err(|error| CodecError::damaged("members `indptr` and `indices`", error))
}

/// Whole numbers in 32 bits where they fit, as SciPy does: their type and their bytes.
fn integers(numbers: &[usize]) -> (&'static str, Vec<u8>) {
    let small: Result<Vec<i32>, _> = numbers.iter().map(|n| i32::try_from(*n)).collect();
    match small {
        Ok(small) => ("<i4", small.iter().flat_map(|n| n.to_le_bytes()).collect()),
        Err(_) => ("<i8", numbers.iter().flat_map(|n| (*n as i64).to_le_bytes()).collect()),
    }
}

/// The members of an archive.
struct Parts<'m>(&'m [(String, Vec<u8>)]);

impl Parts<'_> {
    fn member(&self, name: &str) -> Result<&[u8], CodecError> {
        let found = self.0.iter().find(|(own, _)| own == name);
        let found = found.map(|(_, bytes)| bytes.as_slice());
        found.ok_or_else(|| CodecError::damaged("the archive", format!("no member `{name}`")))
    }

    fn array(&self, name: &str) -> Result<Array, CodecError> {
        decode(self.member(name)?).map_err(|error| within(name, error))
    }

    fn numbers(&self, name: &str) -> Result<Vec<usize>, CodecError> {
        let numbers: Option<Vec<usize>> = match self.array(name)? {
            Array::I32(array) => array.iter().map(|n| usize::try_from(*n).ok()).collect(),
            Array::I64(array) => array.iter().map(|n| usize::try_from(*n).ok()).collect(),
            _ => None,
        };
        let what = "it holds other than positions";
        numbers.ok_or_else(|| CodecError::damaged(format!("member `{name}`"), what))
    }

    fn floats(&self, name: &str) -> Result<Vec<f64>, CodecError> {
        match self.array(name)? {
            Array::F64(array) => Ok(array.into_iter().collect()),
            Array::F32(array) => Ok(array.into_iter().map(f64::from).collect()),
            Array::I32(array) => Ok(array.into_iter().map(f64::from).collect()),
            Array::I64(array) if array.iter().all(|n| n.unsigned_abs() <= 1 << 53) => {
                Ok(array.into_iter().map(|n| n as f64).collect())
            }
            other => {
                Err(CodecError::Unsupported { what: format!("a matrix of {}", other.dtype()) })
            }
        }
    }

    fn compressed(&self, items: Vec<f64>) -> Result<Compressed, CodecError> {
        Ok((self.numbers("indptr")?, self.numbers("indices")?, items))
    }

    fn coordinates(
        &self,
        shape: (usize, usize),
        items: Vec<f64>,
    ) -> Result<CsMat<f64>, CodecError> {
        let (rows, columns) = (self.numbers("row")?, self.numbers("col")?);
        let is_within = rows.iter().all(|row| *row < shape.0)
            && columns.iter().all(|column| *column < shape.1)
            && rows.len() == items.len()
            && columns.len() == items.len();
        if !is_within {
            return Err(CodecError::damaged("members `row` and `col`", "they leave the matrix"));
        }
        Ok(TriMat::from_triplets(shape, rows, columns, items).to_csr())
    }
}

/// A single text, of bytes or of code points.
fn text(bytes: &[u8]) -> Result<String, CodecError> {
    let (header, n_header) = header(bytes)?;
    let DType::Plain(item) = header.dtype() else {
        return Err(CodecError::damaged("the header", "it is no text"));
    };
    let items = &bytes[n_header..];
    let text: Option<String> = match item.type_char() {
        TypeChar::ByteStr => std::str::from_utf8(items).ok().map(str::to_owned),
        TypeChar::UnicodeStr => {
            let (points, _) = items.as_chunks::<4>();
            points.iter().map(|point| char::from_u32(u32::from_le_bytes(*point))).collect()
        }
        _ => None,
    };
    let text = text.ok_or_else(|| CodecError::damaged("the header", "it is no text"))?;
    Ok(text.trim_end_matches('\0').to_owned())
}
