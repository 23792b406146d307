//! Images as PNG or JPEG.

use std::io::Cursor;

use bytes::Bytes;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, error::LimitErrorKind,
};

use super::{Codec, CodecError, Value};
use crate::io::Allowance;

/// Images of one format.
#[derive(Debug, Clone, Copy)]
pub struct ImageCodec {
    name: &'static str,
    extensions: &'static [&'static str],
    priority: i32,
    format: ImageFormat,
}

/// Exact images.
pub const PNG: ImageCodec =
    ImageCodec { name: "png", extensions: &["png"], priority: 9, format: ImageFormat::Png };

/// Photographs: small, not exact, without transparency.
pub const JPEG: ImageCodec = ImageCodec {
    name: "jpeg",
    extensions: &["jpg", "jpeg"],
    priority: 5,
    format: ImageFormat::Jpeg,
};

impl Codec for ImageCodec {
    fn name(&self) -> &'static str {
        self.name
    }

    fn extensions(&self) -> &'static [&'static str] {
        self.extensions
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Image(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        let Value::Image(image) = value else {
            return Err(CodecError::WrongKind { got: value.kind().into() });
        };
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, self.format).map_err(CodecError::encode)?;
        Ok(bytes.into_inner().into())
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let too_large = || CodecError::TooLarge { max_bytes: allowance.all() };
        let wrong = |place: &str, error: ImageError| match error {
            ImageError::Limits(error)
                if matches!(
                    error.kind(),
                    LimitErrorKind::InsufficientMemory | LimitErrorKind::DimensionError
                ) =>
            {
                too_large()
            }
            error => CodecError::damaged(place, error),
        };
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(allowance.left());
        let mut reader = ImageReader::with_format(Cursor::new(bytes), self.format);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(|error| wrong("the header", error))?;
        allowance.spend(decoder.total_bytes()).map_err(|_| too_large())?;
        let image = DynamicImage::from_decoder(decoder);
        image.map(Value::Image).map_err(|error| wrong("a row of pixels", error))
    }
}
