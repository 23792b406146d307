//! A store of bytes: written once, bound to what was seen, in pieces, listed, copied to another store
//! and compared. Run it with `cargo run --example store_bytes [ADDRESS]`, where ADDRESS is a folder or
//! an address such as `s3://bucket/folder`; without one, it works in memory.

use std::{error::Error, sync::Arc};

use anomstack::{
    domain::StoreLocation,
    io::{
        Health, Key, Listing, Order, Registry, Settings, Store, StoreError, Stores, Transfer,
        WriteMode,
    },
};
use bytes::Bytes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "memory://example".to_owned());
    // Nothing is global: who needs stores is given a family of them. What is absent in the settings
    // comes from the environment, as the services' own tools read it.
    let settings =
        Settings { environment: Arc::new(std::env::vars().collect()), ..Settings::default() };
    let stores = Stores::new(Registry::default(), settings, Store::memory());
    let store = stores.at(&StoreLocation::parse(&address, &std::env::current_dir()?)?)?;
    println!("backends: {}; using {}", stores.registry().available().join(", "), store.location());

    // Written once: the second writer is told so.
    let key = Key::parse("example/greeting.txt")?;
    store.delete_if_exists(&key).await?;
    let first = store.put(&key, "hello".into(), WriteMode::CreateOnly).await?;
    match store.put(&key, "again".into(), WriteMode::CreateOnly).await {
        Err(StoreError::AlreadyExists { key }) => println!("{key} is there already"),
        other => return Err(format!("it should have been refused: {other:?}").into()),
    }

    // Replaced only as it was seen.
    let seen = first.etag.ok_or("this store names no etags")?;
    store.put(&key, "hello, world".into(), WriteMode::IfUnchanged(&seen)).await?;
    let late = store.put(&key, "too late".into(), WriteMode::IfUnchanged(&seen)).await;
    println!("with the old etag: {}", late.err().ok_or("it should have been refused")?);

    // In pieces, in bounded memory; visible only at the end.
    let large = Key::parse("example/large.bin")?;
    let mut writer = store.writer(&large).await?;
    for nth in 0..8_u8 {
        writer.write(Bytes::from(vec![nth; 100_000])).await?;
    }
    let written = writer.finish(WriteMode::Overwrite).await?;
    println!("{large}: {} bytes, SHA-256 {}…", written.size, &written.sha256[..12]);
    let mut reader = store.reader(&large).await?;
    let mut n_bytes = 0;
    while let Some(piece) = reader.next().await? {
        n_bytes += piece.len();
    }
    println!(
        "read back {n_bytes} bytes, of which {:?}",
        store.get_range(&large, 99_998..100_002).await?
    );

    // Listed, and copied to another store with what is said of it.
    let other = Store::memory();
    for entry in store.list(&Listing::of("example").sorted(Order::Natural)).await? {
        store.copy(&entry.key, &other, &entry.key, Transfer::Careful).await?;
        let health = other.health(&entry.key).await?;
        println!("{} ({} bytes) copied: {health:?}", entry.key, entry.size);
        assert_eq!(health, Health::Whole);
    }
    println!("removed {} objects", store.delete_tree("example").await?);
    Ok(())
}
