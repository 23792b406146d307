//! Separated cells, in one block and across many.

use std::io::Read;

use super::*;

/// Gives a few bytes at a time, as a slow network does.
struct Dripping<'b>(&'b [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = into.len().min(3).min(self.0.len());
        let (now, later) = self.0.split_at(n_bytes);
        into[..n_bytes].copy_from_slice(now);
        self.0 = later;
        Ok(n_bytes)
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let read = Csv::new(Dripping(text.as_bytes()), "it", None).next().unwrap();
    let shown = match read {
        Err(error) => error.to_string(),
        Ok(frame) => {
            let header = frame.columns().iter().map(|c| format!("{}:{}", c.name(), c.dtype()));
            let header = header.collect::<Vec<_>>().join(",");
            let row = |row| {
                let cell =
                    |c: &polars::prelude::Column| c.get(row).unwrap().str_value().into_owned();
                frame.columns().iter().map(cell).collect::<Vec<_>>().join(",")
            };
            let rows = (0..frame.height()).map(row);
            std::iter::once(header).chain(rows).collect::<Vec<_>>().join("|")
        }
    };
    assert_eq!(shown, expected, "{text:?}");
}

#[test]
fn columns_take_the_narrowest_type_that_holds_their_cells() {
    check("ts,v\n1,1\n2,-5", "ts:i64,v:i64|1,1|2,-5");
    check("ts,v\n1,1\n2,1e3", "ts:i64,v:f64|1,1.0|2,1000.0");
    check("ts,v\n1,1\n2,x\n,", "ts:i64,v:str|1,1|2,x|null,null");
    check("ts,v\n2026-01-02,1\n", "ts:datetime[μs],v:i64|2026-01-02 00:00:00,1");
    check("ts,v\n2026-01-02T03:04:05Z,1\n", "ts:datetime[μs, UTC],v:i64|2026-01-02 03:04:05 UTC,1");
    check("ts,v\n2026-01-02,1\nsoon,2", "ts:str,v:i64|2026-01-02,1|soon,2");
    check("ts,metric,value\n1,007,1", "ts:i64,metric:str,value:i64|1,007,1");
}

#[test]
fn lines_end_in_every_way_and_empty_ones_are_no_rows() {
    check("a,b\r\n1,2\r\n\r\n3,4\r\n", "a:i64,b:i64|1,2|3,4");
    check("\u{feff}\n\na,b\n1,2", "a:i64,b:i64|1,2");
    check("a,b\n", "a:i64,b:i64");
    check("a,b\n1\n", "a:i64,b:i64|1,null");
    check("a,a\n1,2", "a:i64,a_1:i64|1,2");
}

#[test]
fn quotes_hold_separators_line_ends_and_themselves() {
    check("a,b\n\"x,\"\"y\"\"\n\",\"\"\n", "a:str,b:i64|x,\"y\"\n,null");
    check("a,b\nx\"y,1", "a:str,b:i64|x\"y,1");
    check("a,b\n1,\"2\"3", "read it: line 2, byte 4: there is text after a closing quote");
    check("a,b\n1,2\n1,\"2", "read it: line 3, byte 8: a quote is never closed");
    check("a,b\n1,2,3", "read it: line 2, byte 4: it has more cells than the header has names");
}

/// Records across blocks are read as if there were none, and errors count from the beginning.
#[test]
fn a_long_stream_is_read_block_by_block() {
    const N_ROWS: usize = 400_000;
    let mut text = String::from("ts,metric,value\n");
    for n in 0..N_ROWS {
        text.push_str(&format!("{n},\"m\n{}\",{n}\n", n % 10));
    }
    let frames: Vec<_> = Csv::new(text.as_bytes(), "it", None).map(Result::unwrap).collect();
    assert!(1 < frames.len());
    let mut n = 0;
    for frame in &frames {
        let values = frame.column("value").unwrap().i64().unwrap().clone();
        for (row, value) in values.iter().enumerate() {
            assert_eq!(value, Some(n));
            assert_eq!(frame.column("ts").unwrap().get(row).unwrap().extract::<i64>(), Some(n));
            n += 1;
        }
    }
    assert_eq!(n, N_ROWS as i64);
    let place = text.len();
    text.push_str("1,2,3,4\n");
    let error = Csv::new(text.as_bytes(), "it", None).find_map(Result::err).unwrap().to_string();
    let line = 2 * N_ROWS + 2;
    let expected =
        format!("read it: line {line}, byte {place}: it has more cells than the header has names");
    assert_eq!(error, expected);
}

#[test]
fn a_record_without_an_end_does_not_fill_the_memory() {
    let endless = "a,b\n\"".bytes().chain(std::iter::repeat(b'x'));
    struct Endless<I>(I);
    impl<I: Iterator<Item = u8>> Read for Endless<I> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            into.iter_mut().zip(&mut self.0).for_each(|(to, byte)| *to = byte);
            Ok(into.len())
        }
    }
    let error = Csv::new(Endless(endless), "it", None).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "read it: line 2: a record without an end");
}
