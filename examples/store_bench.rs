//! Times of the store against plain files: `store_bench small FOLDER N` and `store_bench list FOLDER N`.
//! Driven by `benches/io/run.sh`.

use std::{
    error::Error,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use anomstack::io::{Key, Store, WriteMode};
use bytes::Bytes;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, folder, n] = &arguments[..] else {
        return Err("write: store_bench small|list FOLDER N".into());
    };
    let (folder, n) = (PathBuf::from(folder), n.parse::<usize>()?);
    match what.as_str() {
        "small" => small(&folder, n).await,
        "list" => list(&folder, n).await,
        _ => Err("there are small and list".into()),
    }
}

fn text(nth: usize) -> String {
    format!("{{\"nth\": {nth}, \"name\": \"metric {nth}\", \"values\": [1.5, 2.5, 3.5]}}")
}

#[expect(clippy::disallowed_methods, reason = "files by hand wait for the disk")]
async fn small(folder: &Path, n: usize) -> Result<(), Box<dyn Error>> {
    const ROUNDS: usize = 5;
    let (mut plain, mut ours, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let place = folder.join(format!("plain{round}"));
        let (at, count) = (place.clone(), n);
        plain.push(tokio::task::spawn_blocking(move || files(&at, count)).await??);
        let store = Store::local(&folder.join(format!("store{round}")))?;
        let began = Instant::now();
        for nth in 0..n {
            let key = Key::parse(&format!("o/{nth}.json"))?;
            store.put(&key, Bytes::from(text(nth)), WriteMode::Overwrite).await?;
        }
        for nth in 0..n {
            store.get(&Key::parse(&format!("o/{nth}.json"))?).await?;
        }
        ours.push(began.elapsed().as_secs_f64());
        let store = Store::local(&folder.join(format!("many{round}")))?;
        let began = Instant::now();
        let keys: Vec<Key> =
            (0..n).map(|nth| Key::parse(&format!("o/{nth}.json"))).collect::<Result<_, _>>()?;
        let objects = keys.iter().cloned().zip((0..n).map(|nth| Bytes::from(text(nth)))).collect();
        for written in store.put_all(objects, WriteMode::Overwrite).await {
            written?;
        }
        for read in store.get_all(&keys).await {
            read?;
        }
        many.push(began.elapsed().as_secs_f64());
    }
    let (plain, ours, many) = (median(plain), median(ours), median(many));
    println!("  plain files {plain:.3}, store {ours:.3} ({:.2}x)", ours / plain);
    println!("  store, batches of 10 at once {many:.3} ({:.2}x)", many / plain);
    Ok(())
}

/// As careful as can be by hand: temporary file, fsync, rename, fsync of the folder.
fn files(place: &Path, n: usize) -> std::io::Result<f64> {
    let folder = place.join("o");
    fs::create_dir_all(&folder)?;
    let began = Instant::now();
    for nth in 0..n {
        let (name, unfinished) =
            (folder.join(format!("{nth}.json")), folder.join(format!("{nth}.tmp")));
        let mut file = File::create(&unfinished)?;
        file.write_all(text(nth).as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &name)?;
        File::open(&folder)?.sync_all()?;
    }
    for nth in 0..n {
        fs::read(folder.join(format!("{nth}.json")))?;
    }
    Ok(began.elapsed().as_secs_f64())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

async fn list(folder: &Path, n: usize) -> Result<(), Box<dyn Error>> {
    for nth in 0..n {
        let file = folder.join(format!("{:03}/{nth}.bin", nth % 500));
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        File::create(file)?;
    }
    let store = Store::local(folder)?;
    let began = Instant::now();
    let n_found = store.keys("").await?.len();
    println!("  {n_found} keys in {:.3}", began.elapsed().as_secs_f64());
    Ok(())
}
