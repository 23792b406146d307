//! Small files that claim to be large ones, or become so: an error before the memory is taken.

use std::io::Write;

use bytes::Bytes;
use ndarray::Array1;
use polars::prelude::{Column, DataFrame, Scalar};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::io::{
    codec::{CodecError, Limits, Value, built_in, decode, encode},
    parquet::Compression,
};

fn read(extension: &str, bytes: Vec<u8>) -> Result<Value, CodecError> {
    let codecs = built_in(Compression::Zstd).unwrap();
    let allowance = Limits::default().allowance(bytes.len() as u64);
    decode(&**codecs.reader(extension).unwrap(), bytes.into(), &allowance)
}

#[track_caller]
fn check_too_large(extension: &str, bytes: Vec<u8>) {
    let n_bytes = bytes.len();
    assert!(n_bytes < 4 << 20, "{n_bytes}");
    let read = read(extension, bytes);
    assert!(matches!(read, Err(CodecError::TooLarge { .. })), "{read:?}");
}

#[track_caller]
fn check_damaged(extension: &str, bytes: Vec<u8>) {
    let read = read(extension, bytes);
    assert!(matches!(read, Err(CodecError::Damaged { .. })), "{read:?}");
}

#[test]
fn a_column_of_one_value_many_times_is_no_way_to_fill_the_memory() {
    let scalar = Scalar::from(1_i64);
    let column = Column::new_scalar("n".into(), scalar, 40_000_000);
    let frame = DataFrame::new_infer_height(vec![column]).unwrap();
    for extension in ["parquet", "arrow"] {
        let codecs = built_in(Compression::Zstd).unwrap();
        let value = Value::from(&frame);
        let bytes = encode(&**codecs.writer(extension, &value).unwrap(), &value).unwrap();
        check_too_large(extension, bytes.into());
    }
}

#[test]
fn a_row_of_a_table_may_not_stand_for_thousands_of_cells() {
    let header = vec!["c"; 100_000].join(",");
    check_too_large("csv", format!("{header}\n{}", "1\n".repeat(1_000)).into_bytes());
}

#[test]
fn an_array_of_more_items_than_bytes_is_damage() {
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000000), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    check_damaged("npy", bytes);
    // A header of 4 GiB, and one that is nested as deep as a stack.
    let mut bytes = b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec();
    bytes.extend(b"{'descr'");
    check_damaged("npy", bytes);
    let mut bytes = b"\x93NUMPY\x01\x00\xff\xff".to_vec();
    bytes.extend("(".repeat(65_535).as_bytes());
    check_damaged("npy", bytes);
}

#[test]
fn an_archive_of_zeros_ends_at_the_limit_also_when_it_lies_about_its_size() {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("a.npy", SimpleFileOptions::default()).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..200).for_each(|_| archive.write_all(&zeros).unwrap());
    let bytes = archive.finish().unwrap().into_inner();
    check_too_large("npz", bytes.clone());
    check_too_large("sparse.npz", bytes.clone());
    // 200 MiB are announced twice, behind the data and in the directory.
    let (announced, small) = ((200_u32 << 20).to_le_bytes(), 64_u32.to_le_bytes());
    let mut lying = bytes;
    let places: Vec<_> =
        (0..lying.len() - 4).filter(|at| lying[*at..*at + 4] == announced).collect();
    assert!(!places.is_empty());
    for at in places {
        lying[at..at + 4].copy_from_slice(&small);
    }
    check_damaged("npz", lying);
}

#[test]
fn a_matrix_of_no_items_and_very_many_rows_takes_no_memory() {
    let member = |name: &str, descr: &str, shape: &[usize], items: &[u8]| {
        (name.to_owned(), crate::io::codec::npy::write(descr, shape, items).unwrap())
    };
    let shape: Vec<u8> = [1_i64 << 40, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
    let members = [
        member("format", "|S3", &[], b"coo"),
        member("shape", "<i8", &[2], &shape),
        member("row", "<i4", &[0], &[]),
        member("col", "<i4", &[0], &[]),
        member("data", "<f8", &[0], &[]),
    ];
    let members = members.iter().map(|(name, bytes)| Ok((name.as_str(), bytes.clone())));
    check_too_large("sparse.npz", crate::io::codec::npy::archive(members).unwrap().into());
}

#[test]
fn tensors_of_a_long_header_are_damage() {
    let mut bytes = (90_u64 << 20).to_le_bytes().to_vec();
    bytes.extend(b"{\"a\"");
    check_damaged("safetensors", bytes);
}

#[test]
fn an_image_of_more_pixels_than_memory_is_too_large() {
    let mut header = b"IHDR".to_vec();
    [60_000_u32, 60_000].iter().for_each(|side| header.extend(side.to_be_bytes()));
    header.extend([8, 0, 0, 0, 0]);
    let mut check = flate2::Crc::new();
    check.update(&header);
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(header);
    bytes.extend(check.sum().to_be_bytes());
    bytes.extend(b"\0\0\x01\0IDAT");
    bytes.resize(bytes.len() + 256, 0);
    check_too_large("png", bytes);
}

#[test]
fn a_pickle_of_many_small_things_is_too_large() {
    let mut bytes = b"\x80\x04](".to_vec();
    bytes.extend(b"N".repeat(2 << 20));
    bytes.extend(b"e.");
    check_too_large("pkl", bytes);
}

#[test]
fn text_that_becomes_a_large_tree_is_too_large() {
    check_too_large("json", format!("[{}0]", "0,".repeat(2_050_000)).into_bytes());
    check_too_large("jsonl", "{}\n".repeat(1_300_000).into_bytes());
    // Each alias stands for nine of the line above.
    let mut yaml = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..12 {
        let before = n - 1;
        yaml += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{before}"); 9].join(","));
    }
    check_damaged("yaml", yaml.into_bytes());
}

#[test]
fn what_is_honest_and_large_is_read() {
    let array = Array1::from_elem(17_000_000, 1.5_f64);
    let codecs = built_in(Compression::Zstd).unwrap();
    let value = Value::from(array);
    let bytes = encode(&**codecs.writer("npy", &value).unwrap(), &value).unwrap();
    assert!(Limits::default().decoded_bytes < bytes.len() as u64);
    let Value::Array(read) = read("npy", Vec::from(Bytes::clone(&bytes))).unwrap() else {
        panic!("no array")
    };
    assert_eq!(read.shape(), [17_000_000]);
}
