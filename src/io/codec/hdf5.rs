//! Arrays by name as HDF5 data sets, through the C library: behind the feature `hdf5`. A name's
//! slashes are groups. The library works on files, so a temporary one lies between. It is not safe
//! against files made to harm it, which is one reason more why it is not built in by default.

use bytes::Bytes;
use hdf5::{
    Dataset, File, Group, H5Type,
    types::{FloatSize, IntSize, TypeDescriptor},
};

use super::{
    Codec, CodecError, Value,
    array::{Array, Dtype, Element},
    value::Arrays,
};
use crate::io::Allowance;

/// Groups inside each other, at most.
const DEEPEST: usize = 32;

/// Arrays by name as `.h5`.
#[derive(Debug, Clone, Copy)]
pub struct Hdf5Codec;

impl Codec for Hdf5Codec {
    fn name(&self) -> &'static str {
        "hdf5"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["h5", "hdf5"]
    }

    fn priority(&self) -> i32 {
        5
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Arrays(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        let Value::Arrays(arrays) = value else {
            return Err(CodecError::WrongKind { got: value.kind().into() });
        };
        let place = tempfile::NamedTempFile::new().map_err(CodecError::encode)?;
        let file = File::create(place.path()).map_err(CodecError::encode)?;
        for (name, array) in arrays {
            if let Some((groups, _)) = name.rsplit_once('/') {
                make_groups(&file, groups)?;
            }
            write(&file, name, array).map_err(CodecError::encode)?;
        }
        file.close().map_err(CodecError::encode)?;
        std::fs::read(place.path()).map(Bytes::from).map_err(CodecError::encode)
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let place = tempfile::NamedTempFile::new();
        let place = place.and_then(|place| std::fs::write(place.path(), &bytes).map(|()| place));
        let place = place.map_err(|error| CodecError::damaged("a temporary file", error))?;
        let file = File::open(place.path());
        let file = file.map_err(|error| CodecError::damaged("the beginning", error))?;
        let mut arrays = Arrays::new();
        collect(&file, "", DEEPEST, allowance, &mut arrays)?;
        Ok(Value::Arrays(arrays))
    }
}

fn make_groups(file: &File, path: &str) -> Result<(), CodecError> {
    let mut group = String::new();
    for name in path.split('/') {
        group = if group.is_empty() { name.to_owned() } else { format!("{group}/{name}") };
        if file.group(&group).is_err() {
            file.create_group(&group).map_err(CodecError::encode)?;
        }
    }
    Ok(())
}

fn collect(
    group: &Group,
    above: &str,
    depth: usize,
    allowance: &Allowance,
    arrays: &mut Arrays,
) -> Result<(), CodecError> {
    let damaged = |error| CodecError::damaged(format!("group `/{above}`"), error);
    // A group may hold itself.
    let Some(depth) = depth.checked_sub(1) else {
        return Err(CodecError::damaged(format!("group `/{above}`"), "groups without an end"));
    };
    let mut names = group.member_names().map_err(damaged)?;
    names.sort();
    for name in names {
        let full = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        if let Ok(dataset) = group.dataset(&name) {
            arrays.insert(full.clone(), read(&dataset, &full, allowance)?);
        } else if let Ok(below) = group.group(&name) {
            collect(&below, &full, depth, allowance, arrays)?;
        }
    }
    Ok(())
}

fn read(dataset: &Dataset, name: &str, allowance: &Allowance) -> Result<Array, CodecError> {
    let damaged = |error| CodecError::damaged(format!("data set `{name}`"), error);
    let described = dataset.dtype().and_then(|dtype| dtype.to_descriptor()).map_err(damaged)?;
    let dtype = dtype_of(&described).ok_or_else(|| CodecError::Unsupported {
        what: format!("data set `{name}` of {described}"),
    })?;
    let n_bytes = dataset
        .shape()
        .iter()
        .fold(dtype.n_bytes() as u64, |n, length| n.saturating_mul(*length as u64));
    let spent = allowance.spend(n_bytes);
    spent.map_err(|error| CodecError::read(format!("data set `{name}`"), error))?;
    let array = match dtype {
        Dtype::Bool => items::<bool>(dataset),
        Dtype::I8 => items::<i8>(dataset),
        Dtype::I16 => items::<i16>(dataset),
        Dtype::I32 => items::<i32>(dataset),
        Dtype::I64 => items::<i64>(dataset),
        Dtype::U8 => items::<u8>(dataset),
        Dtype::U16 => items::<u16>(dataset),
        Dtype::U32 => items::<u32>(dataset),
        Dtype::U64 => items::<u64>(dataset),
        Dtype::F32 => items::<f32>(dataset),
        Dtype::F64 => items::<f64>(dataset),
    };
    array.map_err(damaged)
}

fn items<T: Element + H5Type>(dataset: &Dataset) -> hdf5::Result<Array> {
    dataset.read_dyn::<T>().map(T::wrap)
}

fn dtype_of(described: &TypeDescriptor) -> Option<Dtype> {
    Some(match described {
        TypeDescriptor::Boolean => Dtype::Bool,
        TypeDescriptor::Integer(IntSize::U1) => Dtype::I8,
        TypeDescriptor::Integer(IntSize::U2) => Dtype::I16,
        TypeDescriptor::Integer(IntSize::U4) => Dtype::I32,
        TypeDescriptor::Integer(IntSize::U8) => Dtype::I64,
        TypeDescriptor::Unsigned(IntSize::U1) => Dtype::U8,
        TypeDescriptor::Unsigned(IntSize::U2) => Dtype::U16,
        TypeDescriptor::Unsigned(IntSize::U4) => Dtype::U32,
        TypeDescriptor::Unsigned(IntSize::U8) => Dtype::U64,
        TypeDescriptor::Float(FloatSize::U4) => Dtype::F32,
        TypeDescriptor::Float(FloatSize::U8) => Dtype::F64,
        _ => return None,
    })
}

fn write(file: &File, name: &str, array: &Array) -> hdf5::Result<()> {
    let to = file.new_dataset_builder();
    let written = match array {
        Array::Bool(array) => to.with_data(array).create(name),
        Array::I8(array) => to.with_data(array).create(name),
        Array::I16(array) => to.with_data(array).create(name),
        Array::I32(array) => to.with_data(array).create(name),
        Array::I64(array) => to.with_data(array).create(name),
        Array::U8(array) => to.with_data(array).create(name),
        Array::U16(array) => to.with_data(array).create(name),
        Array::U32(array) => to.with_data(array).create(name),
        Array::U64(array) => to.with_data(array).create(name),
        Array::F32(array) => to.with_data(array).create(name),
        Array::F64(array) => to.with_data(array).create(name),
    };
    written.map(drop)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::io::codec::{decode, encode};

    fn arrays() -> Arrays {
        Arrays::from([
            ("flags".to_owned(), array![true, false].into()),
            ("group/below/counts".to_owned(), array![[1_i64], [2]].into()),
            ("group/single".to_owned(), ndarray::arr0(1.5_f32).into()),
        ])
    }

    #[test]
    fn arrays_come_back_from_groups_and_a_cut_file_is_damage() {
        let bytes = encode(&Hdf5Codec, &Value::from(arrays())).unwrap();
        let read = |bytes: Bytes| decode(&Hdf5Codec, bytes, &Allowance::new(1 << 20));
        let Value::Arrays(found) = read(bytes.clone()).unwrap() else { panic!("no arrays") };
        assert_eq!(found, arrays());
        for cut in [0, 7, bytes.len() / 2, bytes.len() - 1] {
            assert!(matches!(read(bytes.slice(..cut)), Err(CodecError::Damaged { .. })), "{cut}");
        }
        let small = decode(&Hdf5Codec, bytes, &Allowance::new(8));
        assert!(matches!(small, Err(CodecError::TooLarge { max_bytes: 8 })), "{small:?}");
    }
}
