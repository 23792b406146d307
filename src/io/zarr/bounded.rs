//! The library's decompressors, held to the size of a chunk: they would take room for as much as
//! comes out, or as a header says. Registered once a process, before any array is opened.

use std::{
    any::Any,
    borrow::Cow,
    io::{self, Cursor, Read},
    sync::{Arc, Once},
};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use zarrs::{
    array::{
        ArrayBytesRaw, BytesRepresentation, BytesToBytesCodecTraits, Codec, CodecError,
        CodecMetadataOptions, CodecOptions, CodecTraits, CodecTraitsV2, CodecTraitsV3,
        RecommendedConcurrency,
        codec::{
            BloscCodec, GzipCodec, ZlibCodec, ZstdCodec,
            api::{
                CodecRuntimePluginV2, CodecRuntimePluginV3, PartialDecoderCapability,
                PartialEncoderCapability, register_codec_v2, register_codec_v3,
            },
        },
    },
    metadata::Configuration,
    plugin::{
        ExtensionAliases, ExtensionName, PluginCreateError, ZarrVersion, ZarrVersion2, ZarrVersion3,
    },
};

/// How bytes are packed.
#[derive(Debug, Clone, Copy)]
enum Packing {
    Zstd,
    Gzip,
    Zlib,
    Blosc,
}

/// A codec of the library that decodes to no more than a chunk has.
#[derive(Debug)]
struct Bounded {
    inner: Arc<dyn BytesToBytesCodecTraits>,
    packing: Packing,
}

/// Puts the bounded codecs before the library's own.
pub(super) fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        register_one::<ZstdCodec>(Packing::Zstd);
        register_one::<GzipCodec>(Packing::Gzip);
        register_one::<ZlibCodec>(Packing::Zlib);
        register_one::<BloscCodec>(Packing::Blosc);
    });
}

fn register_one<T>(packing: Packing)
where
    T: CodecTraitsV2
        + CodecTraitsV3
        + ExtensionAliases<ZarrVersion2>
        + ExtensionAliases<ZarrVersion3>
        + 'static,
{
    let wrap = move |codec: Codec| match codec {
        Codec::BytesToBytes(inner) => Codec::BytesToBytes(Arc::new(Bounded { inner, packing })),
        other @ (Codec::ArrayToArray(_) | Codec::ArrayToBytes(_)) => other,
    };
    register_codec_v2(CodecRuntimePluginV2::new(
        <T as ExtensionAliases<ZarrVersion2>>::matches_name,
        move |metadata| -> Result<Codec, PluginCreateError> {
            <T as CodecTraitsV2>::create(metadata).map(wrap)
        },
    ));
    register_codec_v3(CodecRuntimePluginV3::new(
        <T as ExtensionAliases<ZarrVersion3>>::matches_name,
        move |metadata| -> Result<Codec, PluginCreateError> {
            <T as CodecTraitsV3>::create(metadata).map(wrap)
        },
    ));
}

impl ExtensionName for Bounded {
    fn name(&self, version: ZarrVersion) -> Option<Cow<'static, str>> {
        self.inner.name(version)
    }
}

impl CodecTraits for Bounded {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn configuration(
        &self,
        version: ZarrVersion,
        options: &CodecMetadataOptions,
    ) -> Option<Configuration> {
        self.inner.configuration(version, options)
    }

    fn partial_decoder_capability(&self) -> PartialDecoderCapability {
        PartialDecoderCapability { partial_read: false, partial_decode: false }
    }

    fn partial_encoder_capability(&self) -> PartialEncoderCapability {
        self.inner.partial_encoder_capability()
    }
}

impl BytesToBytesCodecTraits for Bounded {
    fn into_dyn(self: Arc<Self>) -> Arc<dyn BytesToBytesCodecTraits> {
        self
    }

    fn recommended_concurrency(
        &self,
        decoded: &BytesRepresentation,
    ) -> Result<RecommendedConcurrency, CodecError> {
        self.inner.recommended_concurrency(decoded)
    }

    fn encoded_representation(&self, decoded: &BytesRepresentation) -> BytesRepresentation {
        self.inner.encoded_representation(decoded)
    }

    fn encode<'a>(
        &self,
        decoded: ArrayBytesRaw<'a>,
        options: &CodecOptions,
    ) -> Result<ArrayBytesRaw<'a>, CodecError> {
        self.inner.encode(decoded, options)
    }

    fn decode<'a>(
        &self,
        encoded: ArrayBytesRaw<'a>,
        decoded: &BytesRepresentation,
        options: &CodecOptions,
    ) -> Result<ArrayBytesRaw<'a>, CodecError> {
        let too_much = || CodecError::from("a chunk decodes to more than its shape holds");
        let max_bytes = decoded.size().ok_or_else(too_much)?;
        let source = Cursor::new(&encoded);
        let unpacked = match self.packing {
            Packing::Zstd => zstd::stream::read::Decoder::with_buffer(source)
                .and_then(|decoder| read(decoder, max_bytes)),
            Packing::Gzip => read(MultiGzDecoder::new(source), max_bytes),
            Packing::Zlib => read(ZlibDecoder::new(source), max_bytes),
            Packing::Blosc => {
                let (n_bytes, n_packed) = blosc_lengths(&encoded)
                    .ok_or_else(|| CodecError::from("a chunk without a Blosc header"))?;
                if n_packed != encoded.len() as u64 {
                    return Err(CodecError::from("a chunk that is cut off"));
                }
                if max_bytes < n_bytes {
                    return Err(too_much());
                }
                return self.inner.decode(encoded, decoded, options);
            }
        };
        let unpacked = unpacked.map_err(|error| CodecError::from(error.to_string()))?;
        match unpacked.len() as u64 <= max_bytes {
            true => Ok(Cow::Owned(unpacked)),
            false => Err(too_much()),
        }
    }
}

/// The unpacked and the packed length that a Blosc header announces. The C library looks for them
/// also where there is no header.
fn blosc_lengths(bytes: &[u8]) -> Option<(u64, u64)> {
    let header = bytes.first_chunk::<16>()?;
    let [_, _, _, _, a, b, c, d, _, _, _, _, e, f, g, h] = *header;
    let length = |bytes| u64::from(u32::from_le_bytes(bytes));
    Some((length([a, b, c, d]), length([e, f, g, h])))
}

/// Reads at most one byte more than may be.
fn read(source: impl Read, max_bytes: u64) -> io::Result<Vec<u8>> {
    // A chunk is mostly full, but a small file may claim a large chunk.
    let mut bytes = Vec::with_capacity(usize::try_from(max_bytes).unwrap_or(0).min(64 << 20));
    source.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
