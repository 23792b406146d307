//! A backend of one's own: addresses with the scheme `scratch` are served from memory, with a place for
//! each name. Run it with `cargo run --example custom_backend`.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use anomstack::{
    domain::StoreLocation,
    io::{
        Backend, Opening, Registry, Settings, Store, Stores, WriteMode,
        object_store::{self, ObjectStore, memory::InMemory},
    },
};

/// Memory by name.
#[derive(Debug, Default)]
struct Scratch {
    places: Mutex<BTreeMap<String, Arc<InMemory>>>,
}

impl Backend for Scratch {
    fn open(
        &self,
        location: &StoreLocation,
        _: &Settings,
        _: &Arc<Opening>,
    ) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(places.entry(location.to_string()).or_default().clone())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut registry = Registry::default();
    registry.register("scratch", Arc::new(Scratch::default()));
    println!("{}", registry.available().join(", "));
    let stores = Stores::new(registry, Settings::default(), Store::memory());
    let (store, key) = stores.object("scratch://desk/notes/one.txt")?;
    store.put(&key, "kept".into(), WriteMode::CreateOnly).await?;
    println!("{}: {:?}", store.address(&key), store.get(&key).await?);
    let error = stores.object("drawer://desk/x").err().ok_or("nobody serves that")?;
    println!("{error}");
    Ok(())
}
