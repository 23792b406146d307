//! Dense arrays of any number of dimensions, with the type of their items known at run time: what
//! `.npy`, `.npz`, `.safetensors`, `.zarr` and `.h5` hold.

use std::fmt;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use super::CodecError;

/// A type that arrays can have.
pub trait Element: Copy + Send + Sync + 'static {
    /// Its name at run time.
    const DTYPE: Dtype;

    /// An array of this type as any array.
    fn wrap(array: ArrayD<Self>) -> Array;

    /// Any array as one of this type, if it is one.
    ///
    /// # Errors
    /// The array when it is of another type.
    fn unwrap(array: Array) -> Result<ArrayD<Self>, Array>;
}

macro_rules! elements {
    ($($variant:ident($type:ty) $name:literal $npy:literal,)*) => {
        /// The type of an array's items.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Dtype {
            $(#[doc = concat!("`", stringify!($type), "`")] $variant,)*
        }

        impl Dtype {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As numpy and Zarr write it: `float64`, `int32`, `bool`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// As numpy's files write it, without the byte order: `f8`, `i4`, `b1`.
            pub const fn npy(self) -> &'static str {
                match self { $(Self::$variant => $npy,)* }
            }

            /// Bytes of one item.
            pub const fn n_bytes(self) -> usize {
                match self { $(Self::$variant => size_of::<$type>(),)* }
            }
        }

        /// An array of any type.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Array {
            $(#[doc = concat!("Of `", stringify!($type), "`.")] $variant(ArrayD<$type>),)*
        }

        impl Array {
            /// The type of the items.
            pub const fn dtype(&self) -> Dtype {
                match self { $(Self::$variant(_) => Dtype::$variant,)* }
            }

            /// The length of each dimension; none for a single item.
            pub fn shape(&self) -> &[usize] {
                match self { $(Self::$variant(array) => array.shape(),)* }
            }

            /// The items in row-major order, little-endian.
            pub fn to_le_bytes(&self) -> Vec<u8> {
                match self { $(Self::$variant(array) => le_bytes(array, |item| item.le()),)* }
            }

            /// An array of these items, in row-major order and little-endian.
            ///
            /// # Errors
            /// [`CodecError::Damaged`] when they are more or fewer than the shape says.
            pub fn from_le_bytes(
                dtype: Dtype,
                shape: &[usize],
                bytes: &[u8],
            ) -> Result<Self, CodecError> {
                Self::from_bytes(dtype, Layout { shape, is_fortran: false, is_big: false }, bytes)
            }

            /// The items in row-major order, in this machine's order of bytes.
            pub fn to_ne_bytes(&self) -> Vec<u8> {
                match self { $(Self::$variant(array) => le_bytes(array, |item| item.ne()),)* }
            }

            /// As [`Self::from_le_bytes`], in this machine's order of bytes.
            ///
            /// # Errors
            /// [`CodecError::Damaged`] when they are more or fewer than the shape says.
            pub fn from_ne_bytes(
                dtype: Dtype,
                shape: &[usize],
                bytes: &[u8],
            ) -> Result<Self, CodecError> {
                let is_big = cfg!(target_endian = "big");
                Self::from_bytes(dtype, Layout { shape, is_fortran: false, is_big }, bytes)
            }

            /// An array of items as a file has them.
            pub(super) fn from_bytes(
                dtype: Dtype,
                layout: Layout<'_>,
                bytes: &[u8],
            ) -> Result<Self, CodecError> {
                match dtype {
                    $(Dtype::$variant => {
                        from_items(&layout, bytes, <$type as Item>::of_le).map(Self::$variant)
                    })*
                }
            }

            /// As many items as text as fit, for people.
            pub fn preview(&self) -> String {
                match self { $(Self::$variant(array) => array.to_string(),)* }
            }
        }

        $(impl Element for $type {
            const DTYPE: Dtype = Dtype::$variant;

            fn wrap(array: ArrayD<Self>) -> Array {
                Array::$variant(array)
            }

            fn unwrap(array: Array) -> Result<ArrayD<Self>, Array> {
                match array {
                    Array::$variant(array) => Ok(array),
                    other => Err(other),
                }
            }
        })*
    };
}

elements! {
    Bool(bool) "bool" "b1",
    I8(i8) "int8" "i1",
    I16(i16) "int16" "i2",
    I32(i32) "int32" "i4",
    I64(i64) "int64" "i8",
    U8(u8) "uint8" "u1",
    U16(u16) "uint16" "u2",
    U32(u32) "uint32" "u4",
    U64(u64) "uint64" "u8",
    F32(f32) "float32" "f4",
    F64(f64) "float64" "f8",
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Array {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all items.
    pub fn n_bytes(&self) -> usize {
        self.len() * self.dtype().n_bytes()
    }
}

impl<T: Element, D: ndarray::Dimension> From<ndarray::Array<T, D>> for Array {
    fn from(array: ndarray::Array<T, D>) -> Self {
        T::wrap(array.into_dyn())
    }
}

/// How a file has its items.
pub(super) struct Layout<'s> {
    pub(super) shape: &'s [usize],
    /// Whether the first dimension runs fastest.
    pub(super) is_fortran: bool,
    pub(super) is_big: bool,
}

/// A type's bytes.
trait Item: Copy {
    type Bytes;

    fn le(self) -> Self::Bytes;
    fn ne(self) -> Self::Bytes;
    fn of_le(bytes: Self::Bytes) -> Self;
}

macro_rules! items {
    ($($type:ty)*) => {
        $(impl Item for $type {
            type Bytes = [u8; size_of::<$type>()];

            fn le(self) -> Self::Bytes {
                self.to_le_bytes()
            }

            fn ne(self) -> Self::Bytes {
                self.to_ne_bytes()
            }

            fn of_le(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }
        })*
    };
}

items!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

impl Item for bool {
    type Bytes = [u8; 1];

    fn le(self) -> Self::Bytes {
        [u8::from(self)]
    }

    fn ne(self) -> Self::Bytes {
        self.le()
    }

    fn of_le([byte]: Self::Bytes) -> Self {
        byte != 0
    }
}

fn le_bytes<T: Copy, const N: usize>(array: &ArrayD<T>, le: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(array.len() * N);
    match array.as_slice() {
        Some(items) => items.iter().for_each(|item| bytes.extend_from_slice(&le(*item))),
        None => array.iter().for_each(|item| bytes.extend_from_slice(&le(*item))),
    }
    bytes
}

fn from_items<T: Item, const N: usize>(
    layout: &Layout<'_>,
    bytes: &[u8],
    of_le: impl Fn([u8; N]) -> T,
) -> Result<ArrayD<T>, CodecError> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    let n_items = n_items(layout.shape);
    if n_items != Some(chunks.len()) || !rest.is_empty() {
        let wanted = n_items.and_then(|n| n.checked_mul(N)).map(|n| n.to_string());
        let wanted = wanted.unwrap_or_else(|| "more than all".to_owned());
        let what = format!("{wanted} bytes of items are announced, {} are there", bytes.len());
        return Err(CodecError::damaged("the items", what));
    }
    let items = chunks.iter().map(|chunk| {
        let mut item = *chunk;
        if layout.is_big {
            item.reverse();
        }
        of_le(item)
    });
    let shape = IxDyn(layout.shape).set_f(layout.is_fortran);
    ArrayD::from_shape_vec(shape, items.collect())
        .map_err(|error| CodecError::damaged("the shape", error))
}

/// How many items an array of a shape has; `None` when no memory could hold them.
pub(super) fn n_items(shape: &[usize]) -> Option<usize> {
    let n_items = shape.iter().try_fold(1_usize, |n, length| n.checked_mul(*length))?;
    (n_items <= isize::MAX.unsigned_abs() / 16).then_some(n_items)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn items_come_back_from_their_bytes_in_either_order_of_bytes_and_dimensions() {
        let rows = array![[1.5_f32, -0.0, 3.0], [4.0, f32::MAX, 6.0]];
        let whole = Array::from(rows.clone());
        let bytes = whole.to_le_bytes();
        assert_eq!(Array::from_le_bytes(Dtype::F32, &[2, 3], &bytes).unwrap(), whole);
        // A transposed array is written row by row all the same.
        let turned = Array::from(rows.t().to_owned());
        assert_eq!(
            Array::from_le_bytes(Dtype::F32, &[3, 2], &turned.to_le_bytes()).unwrap(),
            turned
        );
        let big: Vec<u8> = rows.t().iter().flat_map(|item| item.to_be_bytes()).collect();
        let layout = Layout { shape: &[2, 3], is_fortran: true, is_big: true };
        assert_eq!(Array::from_bytes(Dtype::F32, layout, &big).unwrap(), whole);
    }

    #[test]
    fn items_that_do_not_fill_the_shape_are_damage() {
        for (shape, n_bytes) in [(vec![2, 2], 15), (vec![2, 2], 24), (vec![usize::MAX, 2], 16)] {
            let damage = Array::from_le_bytes(Dtype::I32, &shape, &vec![0; n_bytes]);
            assert!(matches!(damage, Err(CodecError::Damaged { .. })), "{shape:?} {damage:?}");
        }
    }
}
