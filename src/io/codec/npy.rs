//! Arrays as numpy writes them: one in an `.npy` file, several in an `.npz` archive.

use std::io::{Cursor, Read, Write};

use bytes::Bytes;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{
    Codec, CodecError, Value,
    array::{Array, Dtype, Layout},
    value::Arrays,
};
use crate::io::Allowance;

/// A header names a type and a shape: more text than this is not needed, and deep nesting would
/// take its reader's stack.
const LONGEST_HEADER: usize = 1 << 16;
const DEEPEST_HEADER: usize = 8;
/// Bytes before the header's text in version 1.0.
const PREFIX: usize = 10;

/// One array as an `.npy` file.
#[derive(Debug, Clone, Copy)]
pub struct NpyCodec;

impl Codec for NpyCodec {
    fn name(&self) -> &'static str {
        "npy"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["npy"]
    }

    fn priority(&self) -> i32 {
        9
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Array(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        match value {
            Value::Array(array) => encode(array).map(Bytes::from),
            other => Err(CodecError::WrongKind { got: other.kind().into() }),
        }
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let spent = allowance.spend(bytes.len() as u64);
        spent.map_err(|error| CodecError::read("the end", error))?;
        decode(&bytes).map(Value::Array)
    }
}

/// Several arrays by name as an `.npz` archive.
#[derive(Debug, Clone, Copy)]
pub struct NpzCodec;

impl Codec for NpzCodec {
    fn name(&self) -> &'static str {
        "npz"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["npz"]
    }

    fn priority(&self) -> i32 {
        9
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Arrays(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        let Value::Arrays(arrays) = value else {
            return Err(CodecError::WrongKind { got: value.kind().into() });
        };
        let members = arrays.iter().map(|(name, array)| Ok((name.as_str(), encode(array)?)));
        archive(members)
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let mut arrays = Arrays::new();
        for (name, member) in members(bytes, allowance)? {
            let array = decode(&member).map_err(|error| within(&name, error))?;
            arrays.insert(name, array);
        }
        Ok(Value::Arrays(arrays))
    }
}

/// Adds to a damage's place the member of the archive it is in.
pub(super) fn within(member: &str, error: CodecError) -> CodecError {
    match error {
        CodecError::Damaged { place, source } => {
            CodecError::Damaged { place: format!("{place} of member `{member}`"), source }
        }
        other => other,
    }
}

/// An archive of files, each by its array's name.
pub(super) fn archive<'n>(
    members: impl Iterator<Item = Result<(&'n str, Vec<u8>), CodecError>>,
) -> Result<Bytes, CodecError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for member in members {
        let (name, bytes) = member?;
        let options = options.large_file(u32::MAX as usize <= bytes.len());
        archive.start_file(format!("{name}.npy"), options).map_err(CodecError::encode)?;
        archive.write_all(&bytes).map_err(CodecError::encode)?;
    }
    Ok(archive.finish().map_err(CodecError::encode)?.into_inner().into())
}

/// The files of an archive, each by its array's name.
pub(super) fn members(
    bytes: Bytes,
    allowance: &Allowance,
) -> Result<Vec<(String, Vec<u8>)>, CodecError> {
    let damaged = |error| CodecError::damaged("the archive's directory", error);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut members = Vec::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).map_err(damaged)?;
        let full = file.name().map_err(damaged)?.into_owned();
        let failed = |error| CodecError::read(format!("member `{full}`"), error);
        let n_bytes = file.size();
        allowance.spend(n_bytes).map_err(failed)?;
        let mut member = Vec::new();
        (&mut file).take(n_bytes.saturating_add(1)).read_to_end(&mut member).map_err(failed)?;
        if member.len() as u64 != n_bytes {
            let what = format!("{n_bytes} bytes are announced, it has others");
            return Err(CodecError::damaged(format!("member `{full}`"), what));
        }
        let name = full.strip_suffix(".npy").unwrap_or(&full).to_owned();
        members.push((name, member));
    }
    Ok(members)
}

/// Writes one array.
fn encode(array: &Array) -> Result<Vec<u8>, CodecError> {
    let order = if array.dtype().n_bytes() == 1 { '|' } else { '<' };
    write(&format!("{order}{}", array.dtype().npy()), array.shape(), &array.to_le_bytes())
}

/// A file of items of any type, in version 1.0 of the format: what every reader knows.
pub(super) fn write(descr: &str, shape: &[usize], items: &[u8]) -> Result<Vec<u8>, CodecError> {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // Items begin at a multiple of 64 bytes; the last byte before them is a line's end.
    let n_header = (PREFIX + text.len() + 1).next_multiple_of(64) - PREFIX;
    let n_announced = u16::try_from(n_header).map_err(CodecError::encode)?;
    let mut bytes = Vec::with_capacity(PREFIX + n_header + items.len());
    bytes.extend_from_slice(b"\x93NUMPY\x01\x00");
    bytes.extend_from_slice(&n_announced.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(PREFIX + n_header - 1, b' ');
    bytes.push(b'\n');
    bytes.extend_from_slice(items);
    Ok(bytes)
}

/// A file's header and where its items begin.
pub(super) fn header(bytes: &[u8]) -> Result<(NpyHeader, usize), CodecError> {
    let damaged = |what: &str| CodecError::damaged("the header", what);
    let (n_prefix, n_text) = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => {
            (10, usize::from(u16::from_le_bytes([*a, *b])))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => {
            (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        _ => return Err(damaged("it does not begin like an .npy file")),
    };
    if LONGEST_HEADER < n_text {
        return Err(damaged("it is longer than any header"));
    }
    let text = bytes.get(n_prefix..n_prefix + n_text);
    let text = text.ok_or_else(|| damaged("it is cut off"))?;
    if DEEPEST_HEADER < text.iter().filter(|byte| b"([{".contains(byte)).count() {
        return Err(damaged("it describes no plain array"));
    }
    let mut rest = bytes;
    let header = NpyHeader::from_reader(&mut rest);
    let header = header.map_err(|error| CodecError::damaged("the header", error))?;
    Ok((header, n_prefix + n_text))
}

/// Reads one array.
pub(super) fn decode(bytes: &[u8]) -> Result<Array, CodecError> {
    let (header, n_header) = header(bytes)?;
    let shape = shape_of(&header)?;
    let unsupported =
        || CodecError::Unsupported { what: format!("items of {:?}", header.dtype().descr()) };
    let DType::Plain(item) = header.dtype() else { return Err(unsupported()) };
    let family = match item.type_char() {
        TypeChar::Bool => 'b',
        TypeChar::Int => 'i',
        TypeChar::Uint => 'u',
        TypeChar::Float => 'f',
        _ => return Err(unsupported()),
    };
    let name = format!("{family}{}", item.size_field());
    let dtype = Dtype::ALL.iter().find(|dtype| dtype.npy() == name).ok_or_else(unsupported)?;
    let layout = Layout {
        shape: &shape,
        is_fortran: header.order() == Order::Fortran,
        is_big: item.endianness() == Endianness::Big,
    };
    Array::from_bytes(*dtype, layout, &bytes[n_header..])
}

/// The lengths of the dimensions.
pub(super) fn shape_of(header: &NpyHeader) -> Result<Vec<usize>, CodecError> {
    let shape: Result<_, _> =
        header.shape().iter().map(|length| usize::try_from(*length)).collect();
    shape.map_err(|error| CodecError::damaged("the header", error))
}
