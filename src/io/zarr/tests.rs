//! Arrays on a disk and in memory: whole, in regions, moved, damaged.

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use ndarray::{Array1, Array2, Array3, Axis, Slice, array};

use super::*;
use crate::io::{WriteMode, conformance};

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn compute() -> Compute {
    Compute::new(2).unwrap()
}

fn numbers(shape: (usize, usize, usize)) -> Array3<f32> {
    let mut n = 0.0;
    Array3::from_shape_simple_fn(shape, || {
        n += 0.5;
        n
    })
}

fn cut(whole: &Array3<f32>, region: [Range<isize>; 3]) -> Array3<f32> {
    let mut part = whole.view();
    for (axis, range) in region.into_iter().enumerate() {
        part.slice_axis_inplace(Axis(axis), Slice::from(range));
    }
    part.to_owned()
}

async fn made(store: &Store, name: &str, items: &Array, options: &ZarrOptions) -> ZarrArray {
    let shape: Vec<u64> = items.shape().iter().map(|length| *length as u64).collect();
    let kind = (items.dtype(), shape.as_slice());
    let array = ZarrArray::create(store, &key(name), kind, options, &compute()).await.unwrap();
    array.write(items).await.unwrap();
    array
}

const COMPRESSORS: [Compressor; 4] =
    [Compressor::Off, Compressor::Zstd(1), Compressor::Lz4(5), Compressor::Gzip(1)];

#[tokio::test]
async fn an_array_comes_back_in_every_compression_cut_and_shard_from_every_store() {
    let folder = tempfile::tempdir().unwrap();
    let items: Array = numbers((5, 7, 6)).into();
    let mut stores = vec![Store::local(folder.path()).unwrap(), Store::memory()];
    stores.push(conformance::bucket("s3").await);
    stores.extend(conformance::server("ANOMSTACK_TEST_S3_URL", "zarr"));
    for store in stores {
        for compressor in COMPRESSORS {
            for (chunks, shard) in [
                (Chunks::Single, None),
                (Chunks::Fixed(vec![2, 3, 4]), None),
                (Chunks::Adaptive { target_bytes: 200 }, None),
                (Chunks::Fixed(vec![1, 2, 3]), Some(vec![2, 2, 1])),
            ] {
                let options = ZarrOptions { compressor, chunks, shard };
                made(&store, "a", &items, &options).await;
                let array = ZarrArray::open(&store, &key("a"), &compute()).await.unwrap();
                assert_eq!(array.shape(), [5, 7, 6]);
                assert_eq!(array.read().await.unwrap(), items, "{options:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_type_and_every_number_of_dimensions_comes_back() {
    let store = Store::memory();
    let no_items = Array2::<i16>::zeros((0, 3));
    let arrays: [Array; 6] = [
        array![true, false, true].into(),
        array![i64::MIN, -1, i64::MAX].into(),
        array![[u8::MAX, 0], [1, 2]].into(),
        array![[f64::NEG_INFINITY, f64::MIN_POSITIVE]].into(),
        ndarray::arr0(1.5_f32).into(),
        no_items.into(),
    ];
    for items in arrays {
        let array = made(&store, "a", &items, &ZarrOptions::default()).await;
        assert_eq!(array.read().await.unwrap(), items);
        assert_eq!(array.dtype(), items.dtype());
    }
}

#[tokio::test]
async fn regions_are_written_and_read_at_once() {
    let store = conformance::bucket("s3").await;
    let whole = numbers((8, 8, 4));
    for shard in [None, Some(vec![2, 1, 2])] {
        let chunks = Chunks::Fixed(vec![2, 4, 2]);
        let options = ZarrOptions { chunks, shard, ..ZarrOptions::default() };
        let shape = [8, 8, 4];
        let (place, kind) = (key("a"), (Dtype::F32, shape.as_slice()));
        let array = ZarrArray::create(&store, &place, kind, &options, &compute()).await.unwrap();
        let parts = (0..2).map(|half| {
            let array = array.clone();
            let part = cut(&whole, [4 * half..4 * half + 4, 0..8, 0..4]).into();
            async move { array.write_region(&[4 * half as u64, 0, 0], &part).await }
        });
        futures::future::try_join_all(parts).await.unwrap();
        // One that covers parts of chunks.
        let ones: Array = Array3::from_elem((3, 1, 2), 1.0_f32).into();
        array.write_region(&[1, 5, 1], &ones).await.unwrap();
        let mut expected = whole.clone();
        for (row, column) in (1..4).flat_map(|row| (1..3).map(move |column| (row, column))) {
            expected[[row, 5, column]] = 1.0;
        }
        let read = array.read_region(&[1..7, 3..8, 0..4]).await.unwrap();
        assert_eq!(read, cut(&expected, [1..7, 3..8, 0..4]).into());
    }
    let array = ZarrArray::open(&store, &key("a"), &compute()).await.unwrap();
    for region in [
        vec![0..9, 0..1, 0..1],
        vec![0..1, 0..1],
        vec![0..1, 0..1, std::ops::Range { start: 3, end: 2 }],
    ] {
        let error = array.read_region(&region).await.unwrap_err();
        assert!(matches!(error, ZarrError::Region { .. }), "{error}");
    }
    let doubles: Array = array![[[1.0]]].into();
    let error = array.write_region(&[0, 0, 0], &doubles).await.unwrap_err();
    assert_eq!(error.to_string(), "a region of `a`: float32 cannot hold float64");
}

#[tokio::test]
async fn arrays_are_copied_moved_and_deleted_as_a_whole() {
    let (store, other) = (Store::memory(), Store::memory());
    let options = ZarrOptions { chunks: Chunks::Fixed(vec![2]), ..ZarrOptions::default() };
    let items: Array = Array1::from_iter(1..8_i32).into();
    made(&store, "f/a", &items, &options).await;
    assert!(is_array(&store, &key("f/a")).await.unwrap());
    assert!(!is_array(&store, &key("f")).await.unwrap());
    // What lies at the target is gone, chunks beyond the new array's too.
    made(&other, "b", &Array1::from_iter(0..99_i32).into(), &options).await;
    assert_eq!(copy(&store, &key("f/a"), &other, &key("b")).await.unwrap(), 5);
    assert_eq!(other.keys("b").await.unwrap().len(), 5);
    assert_eq!(move_to(&store, &key("f/a"), &store, &key("c")).await.unwrap(), 5);
    for (store, name) in [(&store, "c"), (&other, "b")] {
        let array = ZarrArray::open(store, &key(name), &compute()).await.unwrap();
        assert_eq!(array.read().await.unwrap(), items);
    }
    assert_eq!(delete(&other, &key("b")).await.unwrap(), 5);
    assert!(other.keys("").await.unwrap().is_empty());
    let gone = ZarrArray::open(&other, &key("b"), &compute()).await.unwrap_err();
    assert_eq!(gone.to_string(), "no object at `b`");
    let gone = move_to(&store, &key("f/a"), &store, &key("d")).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
}

async fn put(store: &Store, name: &str, bytes: impl Into<Bytes>) {
    store.put(&key(name), bytes.into(), WriteMode::Overwrite).await.unwrap();
}

async fn read(store: &Store) -> Result<Array, ZarrError> {
    ZarrArray::open(store, &key("a"), &compute()).await?.read().await
}

#[tokio::test]
async fn a_bomb_in_a_chunk_or_in_the_metadata_is_an_error() {
    let store = Store::memory();
    let items: Array = Array1::from_elem(100, 1.5_f64).into();
    let zeros = vec![0; 32 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut gzip, &zeros).unwrap();
    // A Blosc header that claims 2 GiB.
    let mut blosc = vec![2, 1, 0x21, 8];
    [0x7fff_ffff_u32, 0x10_0000, 64].iter().for_each(|n| blosc.extend(n.to_le_bytes()));
    blosc.resize(64, 0);
    // A Zstandard frame that announces 2^60 bytes and has none.
    let mut announced = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    announced.extend((1_u64 << 60).to_le_bytes());
    announced.extend([1, 0, 0]);
    let zstd = zstd::encode_all(zeros.as_slice(), 19).unwrap();
    for (compressor, bomb) in [
        (Compressor::Zstd(3), zstd),
        (Compressor::Zstd(3), announced),
        (Compressor::Gzip(5), gzip.finish().unwrap()),
        (Compressor::Lz4(5), blosc),
        (Compressor::Off, vec![0; 4_000]),
    ] {
        let options = ZarrOptions { compressor, ..ZarrOptions::default() };
        made(&store, "a", &items, &options).await;
        put(&store, "a/c/0", bomb).await;
        let error = read(&store).await.unwrap_err();
        assert!(matches!(error, ZarrError::Array { op: "read", .. }), "{compressor:?} {error}");
    }
    let huge = metadata(Dtype::F64, &[1 << 40, 1 << 40], &ZarrOptions::default()).unwrap();
    put(&store, "a/zarr.json", huge.to_string()).await;
    assert!(matches!(read(&store).await, Err(ZarrError::TooLarge { .. })));
    // A region of one item of a chunk that is larger than memory.
    let options = ZarrOptions { chunks: Chunks::Single, ..ZarrOptions::default() };
    let huge = metadata(Dtype::F64, &[1 << 40], &options).unwrap();
    put(&store, "a/zarr.json", huge.to_string()).await;
    let array = ZarrArray::open(&store, &key("a"), &compute()).await.unwrap();
    let error = array.read_region(std::slice::from_ref(&(0..1))).await.unwrap_err();
    assert!(matches!(error, ZarrError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn damaged_metadata_and_cut_chunks_are_errors_that_name_the_array() {
    let store = Store::memory();
    let items: Array = Array1::from_iter(0..1_000_i64).into();
    for compressor in COMPRESSORS {
        for shard in [None, Some(vec![2])] {
            let chunks = Chunks::Fixed(vec![250]);
            made(&store, "a", &items, &ZarrOptions { compressor, chunks, shard }).await;
            let chunk = store.get(&key("a/c/1")).await.unwrap();
            for cut in [0, 1, chunk.len() / 2, chunk.len() - 1] {
                put(&store, "a/c/1", chunk.slice(..cut)).await;
                let error = read(&store).await.unwrap_err();
                assert_eq!(error.to_string(), "read `a`", "{compressor:?} {cut}");
            }
            for at in 0..chunk.len() {
                let mut damaged = chunk.to_vec();
                damaged[at] ^= 0x41;
                put(&store, "a/c/1", damaged).await;
                // What is not compressed has no checksum of its own.
                drop(read(&store).await);
            }
            let whole = store.get(&key("a/zarr.json")).await.unwrap();
            for at in (0..whole.len()).step_by(17) {
                let mut damaged = whole.to_vec();
                damaged[at] ^= 0x15;
                put(&store, "a/zarr.json", damaged).await;
                // An answer, whichever: a changed digit makes another array.
                drop(read(&store).await);
            }
        }
    }
}

#[tokio::test]
async fn options_that_make_no_array_are_refused() {
    let store = Store::memory();
    for options in [
        ZarrOptions { chunks: Chunks::Fixed(vec![1]), ..ZarrOptions::default() },
        ZarrOptions { shard: Some(vec![0, 1]), ..ZarrOptions::default() },
        ZarrOptions { compressor: Compressor::Gzip(77), ..ZarrOptions::default() },
    ] {
        let kind = (Dtype::F32, [4, 4].as_slice());
        let made = ZarrArray::create(&store, &key("a"), kind, &options, &compute()).await;
        assert!(matches!(made, Err(ZarrError::Options { .. })), "{made:?}");
    }
    assert!(store.keys("").await.unwrap().is_empty());
}
