//! An SVG document as PNG bytes: fonts come with the program, no file is read, and few colours
//! keep it small.

use std::{
    io::Write as _,
    sync::{Arc, OnceLock},
};

use flate2::{Compression, Crc, write::ZlibEncoder};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb},
};

use super::{Size, Svg};

/// Larger pictures than any screen's cost memory and serve nobody.
const MAX_PIXELS: f64 = 16e6;
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The fonts are thin: on a picture their text gets an outline of its own colour.
const STYLE: &str = "text { stroke: #4d5768; stroke-width: .3px } \
     text.title { stroke: #1a2130; stroke-width: .6px }";
/// Bits kept of red, green and blue, from fine to coarse; the last always fits a palette.
const DEPTHS: [[u32; 3]; 3] = [[5, 5, 5], [4, 4, 4], [3, 3, 2]];
const MAX_COLOURS: usize = 256;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PngError {
    /// The picture would be empty or too large.
    #[error(
        "a picture of {width:.0} by {height:.0} pixels: at most {MAX_PIXELS:e} pixels can be drawn, and at least one"
    )]
    Size {
        /// Pixels across.
        width: f64,
        /// Pixels down.
        height: f64,
    },
    /// The document is no SVG.
    #[error("the chart cannot be drawn")]
    Svg(#[from] resvg::usvg::Error),
    /// Packing failed.
    #[error("the picture cannot be packed")]
    Pack(#[from] std::io::Error),
}

/// Draws a document, `scale` dots to a pixel, as an 8-bit palette PNG.
///
/// # Errors
/// [`PngError::Size`] for nothing and for more than 16 million dots; [`PngError::Svg`] for a
/// document that cannot be read, which those of this module can.
pub(crate) fn png(svg: &Svg, scale: f64) -> Result<Vec<u8>, PngError> {
    let Size { width, height } = svg.size;
    let (width, height) = ((width * scale).round(), (height * scale).round());
    // Not a number fits no range.
    if !(1.0..=MAX_PIXELS).contains(&(width * height)) || width < 1.0 || height < 1.0 {
        return Err(PngError::Size { width, height });
    }
    let options = Options {
        fontdb: Arc::clone(fonts()),
        style_sheet: Some(STYLE.to_owned()),
        ..Options::default()
    };
    let tree = Tree::from_str(&svg.text, &options)?;
    let mut pixmap =
        Pixmap::new(width as u32, height as u32).ok_or(PngError::Size { width, height })?;
    let scale = scale as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    let (palette, dots) = quantized(pixmap.data());
    Ok(encoded(width as u32, height as u32, &palette, &dots)?)
}

/// The fonts of the program, read once.
fn fonts() -> &'static Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    FONTS.get_or_init(|| {
        let mut fonts = fontdb::Database::new();
        let all = [
            epaint_default_fonts::UBUNTU_LIGHT,
            epaint_default_fonts::HACK_REGULAR,
            epaint_default_fonts::NOTO_EMOJI_REGULAR,
        ];
        for bytes in all {
            fonts.load_font_source(fontdb::Source::Binary(Arc::new(bytes)));
        }
        let first = fonts.faces().next().and_then(|face| face.families.first());
        if let Some(name) = first.map(|(name, _)| name.clone()) {
            fonts.set_serif_family(name.clone());
            fonts.set_sans_serif_family(name);
        }
        Arc::new(fonts)
    })
}

/// Opaque RGBA dots as a palette of at most 256 colours and an index a dot.
fn quantized(rgba: &[u8]) -> (Vec<[u8; 3]>, Vec<u8>) {
    let coarsest = DEPTHS[DEPTHS.len() - 1];
    let found = DEPTHS.into_iter().find_map(|bits| within(rgba, bits));
    found.or_else(|| within(rgba, coarsest)).unwrap_or_default()
}

/// The same with so many bits a colour; `None` when that gives too many colours.
fn within(rgba: &[u8], bits: [u32; 3]) -> Option<(Vec<[u8; 3]>, Vec<u8>)> {
    const UNSEEN: u16 = u16::MAX;
    let mut index_of = vec![UNSEEN; 1 << bits.iter().sum::<u32>()];
    let mut palette: Vec<[u8; 3]> = Vec::new();
    let mut dots = Vec::with_capacity(rgba.len() / 4);
    for dot in rgba.chunks_exact(4) {
        let mut key = 0_usize;
        for (value, bits) in dot.iter().zip(bits) {
            key = key << bits | usize::from(value >> (8 - bits));
        }
        if index_of[key] == UNSEEN {
            if palette.len() == MAX_COLOURS {
                return None;
            }
            index_of[key] = palette.len() as u16;
            palette.push([0, 1, 2].map(|n| spread(dot[n], bits[n])));
        }
        dots.push(index_of[key] as u8);
    }
    Some((palette, dots))
}

/// A value cut to its upper bits and spread over 0 to 255 again, so that white stays white.
const fn spread(value: u8, bits: u32) -> u8 {
    let most = (1_u32 << bits) - 1;
    (((value >> (8 - bits)) as u32 * 255 + most / 2) / most) as u8
}

fn encoded(
    width: u32,
    height: u32,
    palette: &[[u8; 3]],
    dots: &[u8],
) -> Result<Vec<u8>, std::io::Error> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::new(6));
    for row in dots.chunks_exact(width as usize) {
        // Each row begins with its filter: none, the best for a palette.
        packed.write_all(&[0])?;
        packed.write_all(row)?;
    }
    let packed = packed.finish()?;
    let mut header = [0; 13];
    header[..4].copy_from_slice(&width.to_be_bytes());
    header[4..8].copy_from_slice(&height.to_be_bytes());
    // Eight bits a dot, from a palette.
    header[8..10].copy_from_slice(&[8, 3]);
    let mut bytes = SIGNATURE.to_vec();
    chunk(&mut bytes, b"IHDR", &header);
    chunk(&mut bytes, b"PLTE", palette.as_flattened());
    chunk(&mut bytes, b"IDAT", &packed);
    chunk(&mut bytes, b"IEND", &[]);
    Ok(bytes)
}

fn chunk(bytes: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    // No picture within the limit comes near four gigabytes.
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    let mut sum = Crc::new();
    sum.update(name);
    sum.update(body);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&sum.sum().to_be_bytes());
}
