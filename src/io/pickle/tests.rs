//! The reader against files Python made, files made to harm, and files that are broken.

use proptest::prelude::*;

use super::*;

const P2: &[u8] = include_bytes!("../../../tests/golden/pickle/plain_p2.pkl");
const P3: &[u8] = include_bytes!("../../../tests/golden/pickle/plain_p3.pkl");
const P4: &[u8] = include_bytes!("../../../tests/golden/pickle/plain_p4.pkl");
const OURS: &[u8] = include_bytes!("../../../tests/golden/pickle/ours.pkl");

fn dict(entries: Vec<(&str, Plain)>) -> Plain {
    Plain::Dict(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

/// `TREE` of `tests/golden/pickle/make.py`.
fn golden() -> Plain {
    let ints = [0, -1, 255, 256, 65_536, -2_147_483_649, i64::MAX, i64::MIN];
    let floats = [0.1, -0.0, 1e308, 5e-324, f64::INFINITY];
    let nested = dict(vec![("b", Plain::List(vec![Plain::List(vec![]), Plain::Dict(vec![])]))]);
    dict(vec![
        ("format", Plain::Int(1)),
        ("kind", text("pca")),
        ("none", Plain::None),
        ("flags", Plain::List(vec![Plain::Bool(true), Plain::Bool(false)])),
        ("ints", Plain::List(ints.map(Plain::Int).to_vec())),
        ("floats", Plain::List(floats.map(Plain::Float).to_vec())),
        ("text", text("naïve 🚀\n")),
        ("long", text(&"x".repeat(300))),
        ("nested", dict(vec![("a", nested)])),
        ("array", Plain::from_f64s(&[1.5, -2.0, 3.25])),
        ("blob", Plain::Bytes((0..=255).chain(0..=255).collect())),
        ("repeated", Plain::List(vec![text("kind"), text("kind")])),
    ])
}

#[test]
fn what_python_writes_is_read() {
    assert_eq!(decode(P3).unwrap(), golden());
    assert_eq!(decode(P4).unwrap(), golden());
    let Plain::Dict(mut entries) = golden() else { unreachable!() };
    entries.retain(|(key, _)| key != "array" && key != "blob");
    assert_eq!(decode(P2).unwrap(), Plain::Dict(entries));
}

/// `make.py --check` opens the same file with Python's `pickle.load` and compares the tree.
#[test]
fn python_opens_what_is_written() {
    assert!(encode(&golden()).unwrap() == OURS, "ours.pkl is not what is written now");
}

#[track_caller]
fn check_forbidden(bytes: &[u8], expected: u8) {
    let error = decode(bytes).unwrap_err();
    assert!(
        matches!(error, PickleError::Forbidden { opcode, .. } if opcode == expected),
        "{error}"
    );
}

#[test]
fn a_file_that_would_run_a_command_is_refused_at_the_opcode() {
    check_forbidden(include_bytes!("../../../tests/golden/pickle/refused_system_p2.pkl"), b'c');
    check_forbidden(include_bytes!("../../../tests/golden/pickle/refused_system_p4.pkl"), 0x93);
    check_forbidden(include_bytes!("../../../tests/golden/pickle/refused_class.pkl"), 0x93);
    let ancient = decode(include_bytes!("../../../tests/golden/pickle/refused_system_p0.pkl"));
    assert!(matches!(ancient, Err(PickleError::Malformed { at: 0, .. })));
}

#[test]
fn every_opcode_that_makes_or_calls_an_object_is_refused() {
    // GLOBAL, STACK_GLOBAL, REDUCE, BUILD, OBJ, INST, NEWOBJ, NEWOBJ_EX, EXT1, EXT2, EXT4, PERSID,
    // BINPERSID, DUP, POP, NEXT_BUFFER and the sets.
    for opcode in *b"cRboiPQ20\x93\x81\x92\x82\x83\x84\x97\x8f\x90\x91" {
        check_forbidden(&[0x80, 4, b']', b'(', b'N', b'N', opcode, b'.'], opcode);
    }
}

#[test]
fn shared_lists_and_endless_nesting_are_refused() {
    let shared = decode(include_bytes!("../../../tests/golden/pickle/refused_shared.pkl"));
    assert!(matches!(shared, Err(PickleError::Malformed { .. })));
    let nested = |depth: usize| {
        [&b"\x80\x03"[..], &b"]".repeat(depth), &b"a".repeat(depth - 1), b"."].concat()
    };
    assert!(decode(&nested(64)).is_ok());
    assert!(matches!(decode(&nested(65)), Err(PickleError::TooDeep)));
    assert!(matches!(decode(&nested(1_000_000)), Err(PickleError::TooDeep)));
}

#[test]
fn a_small_file_cannot_claim_much_memory() {
    // A text of 4 GiB, a memo slot of 4 billion, and a million copies of a text of 1 MiB.
    assert!(matches!(decode(b"\x80\x03X\xff\xff\xff\xff."), Err(PickleError::Truncated { .. })));
    assert!(matches!(decode(b"\x80\x03Nr\xff\xff\xff\xff."), Err(PickleError::Malformed { .. })));
    let text = [&b"\x80\x03]X\x00\x00\x10\x00"[..], &vec![b'x'; 1 << 20], b"q\x00"].concat();
    let copies = [&text[..], &b"h\x00".repeat(1_000_000), b"."].concat();
    assert!(matches!(decode(&copies), Err(PickleError::TooLarge { .. })));
}

#[test]
fn a_tree_that_could_not_be_read_back_is_not_written() {
    let twice = dict(vec![("a", Plain::None), ("a", Plain::None)]);
    assert!(matches!(encode(&twice), Err(PickleError::DuplicateKey { key }) if key == "a"));
    let deep = (0..65).fold(Plain::None, |tree, _| Plain::List(vec![tree]));
    assert!(matches!(encode(&deep), Err(PickleError::TooDeep)));
}

fn trees() -> impl Strategy<Value = Plain> {
    let leaf = prop_oneof![
        Just(Plain::None),
        any::<bool>().prop_map(Plain::Bool),
        any::<i64>().prop_map(Plain::Int),
        (-300_i64..300).prop_map(Plain::Int),
        any::<f64>().prop_filter("equal to itself", |f| !f.is_nan()).prop_map(Plain::Float),
        ".{0,300}".prop_map(Plain::Text),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Plain::Bytes),
    ];
    leaf.prop_recursive(4, 64, 8, |tree| {
        prop_oneof![
            prop::collection::vec(tree.clone(), 0..8).prop_map(Plain::List),
            prop::collection::btree_map(".{0,8}", tree, 0..8)
                .prop_map(|entries| Plain::Dict(entries.into_iter().rev().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in trees()) {
        prop_assert_eq!(decode(&encode(&tree).unwrap()).unwrap(), tree);
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(decode(&bytes));
        drop(decode(&[b"\x80\x04".as_slice(), &bytes].concat()));
    }

    #[test]
    fn any_opcodes_give_an_answer(
        codes in prop::collection::vec(prop::sample::select(b"(NJKMGXCB]aet)}suqrhj.\x85\x86\x87\x88\x8a\x8c\x94\x95\x01\x00".to_vec()), 0..200),
    ) {
        drop(decode(&[b"\x80\x04".as_slice(), &codes].concat()));
    }

    #[test]
    fn a_flipped_bit_gives_an_answer(at in 0..P4.len(), bit in 0..8_u8) {
        let mut bytes = P4.to_vec();
        bytes[at] ^= 1 << bit;
        drop(decode(&bytes));
    }

    #[test]
    fn a_cut_file_is_an_error(n_bytes in 0..P4.len()) {
        prop_assert!(decode(&P4[..n_bytes]).is_err());
        prop_assert!(decode(&P3[..n_bytes.min(P3.len() - 1)]).is_err());
    }

    #[test]
    fn bytes_behind_the_end_are_an_error(tail in prop::collection::vec(any::<u8>(), 1..9)) {
        prop_assert!(decode(&[P4, &tail].concat()).is_err());
    }
}
