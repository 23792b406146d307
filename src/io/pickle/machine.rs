//! The stack machine that reads pickles of plain values. The opcodes it knows are the allow-list:
//! none of them names a class or calls anything.

use std::ops::Range;

use super::{MAX_BYTES, MAX_DEPTH, PickleError};
use crate::domain::Plain;

/// What a node costs besides its text or bytes.
const NODE_BYTES: usize = 2 * size_of::<Item>();

mod op {
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const FRAME: u8 = 0x95;
    pub(super) const STOP: u8 = b'.';
    pub(super) const MARK: u8 = b'(';
    pub(super) const NONE: u8 = b'N';
    pub(super) const TRUE: u8 = 0x88;
    pub(super) const FALSE: u8 = 0x89;
    pub(super) const BININT: u8 = b'J';
    pub(super) const BININT1: u8 = b'K';
    pub(super) const BININT2: u8 = b'M';
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const BINFLOAT: u8 = b'G';
    pub(super) const SHORT_BINUNICODE: u8 = 0x8c;
    pub(super) const BINUNICODE: u8 = b'X';
    pub(super) const BINUNICODE8: u8 = 0x8d;
    pub(super) const SHORT_BINBYTES: u8 = b'C';
    pub(super) const BINBYTES: u8 = b'B';
    pub(super) const BINBYTES8: u8 = 0x8e;
    pub(super) const EMPTY_LIST: u8 = b']';
    pub(super) const APPEND: u8 = b'a';
    pub(super) const APPENDS: u8 = b'e';
    pub(super) const EMPTY_TUPLE: u8 = b')';
    pub(super) const TUPLE: u8 = b't';
    pub(super) const TUPLE1: u8 = 0x85;
    pub(super) const TUPLE2: u8 = 0x86;
    pub(super) const TUPLE3: u8 = 0x87;
    pub(super) const EMPTY_DICT: u8 = b'}';
    pub(super) const SETITEM: u8 = b's';
    pub(super) const SETITEMS: u8 = b'u';
    pub(super) const MEMOIZE: u8 = 0x94;
    pub(super) const BINPUT: u8 = b'q';
    pub(super) const LONG_BINPUT: u8 = b'r';
    pub(super) const BINGET: u8 = b'h';
    pub(super) const LONG_BINGET: u8 = b'j';
}

/// A value on the stack.
struct Item {
    value: Plain,
    /// Containers inside each other, this one included; 0 for a leaf.
    depth: u8,
    /// Where a text or bytes node stands in the file, for the memo.
    source: Option<Range<usize>>,
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Item>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    /// Where memoised texts and bytes stand; `None` for a container, which may not be shared.
    memo: Vec<Option<(Range<usize>, Kind)>>,
    memory: usize,
    max_memory: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bytes,
}

/// Reads one tree that takes all of the bytes.
pub(super) fn run(bytes: &[u8], max_memory: usize) -> Result<Plain, PickleError> {
    if MAX_BYTES < bytes.len() {
        return Err(PickleError::TooLarge { max: MAX_BYTES });
    }
    let (stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new());
    let mut machine = Machine { bytes, at: 0, stack, marks, memo, memory: 0, max_memory };
    machine.header()?;
    while machine.step()? {}
    let is_whole = machine.at == bytes.len() && machine.marks.is_empty();
    match (machine.stack.pop(), machine.stack.is_empty() && is_whole) {
        (Some(item), true) => Ok(item.value),
        _ => Err(machine.malformed("more or less than one value")),
    }
}

impl<'a> Machine<'a> {
    fn header(&mut self) -> Result<(), PickleError> {
        let [opcode, protocol] = self.array()?;
        if opcode == op::PROTO && (2..=4).contains(&protocol) {
            return Ok(());
        }
        self.at = 0;
        Err(self.malformed("no header of protocol 2 to 4"))
    }

    /// One opcode; false at the end.
    fn step(&mut self) -> Result<bool, PickleError> {
        let [opcode] = self.array()?;
        match opcode {
            op::STOP => return Ok(false),
            op::FRAME => self.frame()?,
            op::MARK => {
                self.spend(size_of::<usize>())?;
                self.marks.push(self.stack.len());
            }
            op::NONE => self.leaf(Plain::None)?,
            op::TRUE => self.leaf(Plain::Bool(true))?,
            op::FALSE => self.leaf(Plain::Bool(false))?,
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 => self.int(opcode)?,
            op::BINFLOAT => {
                let number = f64::from_be_bytes(self.array()?);
                self.leaf(Plain::Float(number))?;
            }
            op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8 => {
                let range = self.counted(opcode)?;
                self.span(range, Kind::Text)?;
            }
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 => {
                let range = self.counted(opcode)?;
                self.span(range, Kind::Bytes)?;
            }
            op::MEMOIZE | op::BINPUT | op::LONG_BINPUT => self.put(opcode)?,
            op::BINGET | op::LONG_BINGET => self.get(opcode)?,
            _ => self.container(opcode)?,
        }
        Ok(true)
    }

    fn container(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            op::EMPTY_LIST | op::EMPTY_TUPLE => self.push(Plain::List(Vec::new()), 1, None),
            op::EMPTY_DICT => self.push(Plain::Dict(Vec::new()), 1, None),
            op::APPEND => {
                let items = self.take(1)?;
                self.append(items)
            }
            op::APPENDS => {
                let items = self.since_mark()?;
                self.append(items)
            }
            op::TUPLE => {
                let items = self.since_mark()?;
                self.tuple(items)
            }
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let items = self.take(usize::from(opcode - op::TUPLE1) + 1)?;
                self.tuple(items)
            }
            op::SETITEM => {
                let items = self.take(2)?;
                self.set(items)
            }
            op::SETITEMS => {
                let items = self.since_mark()?;
                self.set(items)
            }
            _ => Err(PickleError::Forbidden { opcode, at: self.at - 1 }),
        }
    }

    /// A frame only announces how many bytes follow it.
    fn frame(&mut self) -> Result<(), PickleError> {
        let n_bytes = u64::from_le_bytes(self.array()?);
        if ((self.bytes.len() - self.at) as u64) < n_bytes {
            return Err(PickleError::Truncated { at: self.bytes.len() });
        }
        Ok(())
    }

    fn int(&mut self, opcode: u8) -> Result<(), PickleError> {
        let number = match opcode {
            op::BININT1 => i64::from(u8::from_le_bytes(self.array()?)),
            op::BININT2 => i64::from(u16::from_le_bytes(self.array()?)),
            op::BININT => i64::from(i32::from_le_bytes(self.array()?)),
            _ => self.long()?,
        };
        self.leaf(Plain::Int(number))
    }

    /// A two's complement number of 0 to 8 bytes.
    fn long(&mut self) -> Result<i64, PickleError> {
        let [n_bytes] = self.array()?;
        if 8 < n_bytes {
            return Err(self.malformed("a whole number of more than 64 bits"));
        }
        let digits = self.slice(usize::from(n_bytes))?;
        let is_negative = self.bytes[digits.clone()].last().is_some_and(|last| 0x80 <= *last);
        let mut number = [if is_negative { 0xff } else { 0 }; 8];
        number[..digits.len()].copy_from_slice(&self.bytes[digits]);
        Ok(i64::from_le_bytes(number))
    }

    /// The span a counted text or bytes opcode stands for.
    fn counted(&mut self, opcode: u8) -> Result<Range<usize>, PickleError> {
        let n_bytes = match opcode {
            op::SHORT_BINUNICODE | op::SHORT_BINBYTES => {
                u64::from(u8::from_le_bytes(self.array()?))
            }
            op::BINUNICODE | op::BINBYTES => u64::from(u32::from_le_bytes(self.array()?)),
            _ => u64::from_le_bytes(self.array()?),
        };
        // What does not fit is longer than the file and refused as such.
        self.slice(usize::try_from(n_bytes).unwrap_or(usize::MAX))
    }

    fn span(&mut self, range: Range<usize>, kind: Kind) -> Result<(), PickleError> {
        self.spend(range.len())?;
        let bytes = self.bytes[range.clone()].to_vec();
        let value = match kind {
            Kind::Bytes => Plain::Bytes(bytes),
            Kind::Text => match String::from_utf8(bytes) {
                Ok(text) => Plain::Text(text),
                Err(_) => return Err(self.malformed("a text that is not UTF-8")),
            },
        };
        self.push(value, 0, Some(range))
    }

    fn put(&mut self, opcode: u8) -> Result<(), PickleError> {
        let slot = match opcode {
            op::BINPUT => usize::from(u8::from_le_bytes(self.array()?)),
            op::LONG_BINPUT => u32::from_le_bytes(self.array()?) as usize,
            _ => self.memo.len(),
        };
        // Picklers number the memo in order; a leap would only serve to take memory.
        if self.memo.len() < slot {
            return Err(self.malformed("a memo slot out of order"));
        }
        let Some(top) = self.stack.last() else { return Err(self.malformed("an empty stack")) };
        let source = match (&top.value, &top.source) {
            (Plain::Text(_), Some(range)) => Some((range.clone(), Kind::Text)),
            (Plain::Bytes(_), Some(range)) => Some((range.clone(), Kind::Bytes)),
            _ => None,
        };
        self.spend(size_of::<Option<(Range<usize>, Kind)>>())?;
        if slot == self.memo.len() {
            self.memo.push(source);
        } else {
            self.memo[slot] = source;
        }
        Ok(())
    }

    fn get(&mut self, opcode: u8) -> Result<(), PickleError> {
        let slot = match opcode {
            op::BINGET => usize::from(u8::from_le_bytes(self.array()?)),
            _ => u32::from_le_bytes(self.array()?) as usize,
        };
        match self.memo.get(slot).cloned() {
            Some(Some((range, kind))) => self.span(range, kind),
            Some(None) => Err(self.malformed("a list or dict used twice")),
            None => Err(self.malformed("a memo slot never filled")),
        }
    }

    fn append(&mut self, items: Vec<Item>) -> Result<(), PickleError> {
        let depth = depth_around(&items)?;
        match self.stack.last_mut() {
            Some(Item { value: Plain::List(list), depth: own, .. }) => {
                list.extend(items.into_iter().map(|item| item.value));
                *own = depth.max(*own);
                Ok(())
            }
            _ => Err(self.malformed("an append to no list")),
        }
    }

    fn tuple(&mut self, items: Vec<Item>) -> Result<(), PickleError> {
        let depth = depth_around(&items)?;
        self.push(Plain::List(items.into_iter().map(|item| item.value).collect()), depth, None)
    }

    fn set(&mut self, items: Vec<Item>) -> Result<(), PickleError> {
        let depth = depth_around(&items)?;
        let mut entries = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter().map(|item| item.value);
        while let Some(key) = items.next() {
            match (key, items.next()) {
                (Plain::Text(key), Some(value)) => entries.push((key, value)),
                _ => return Err(self.malformed("a dict entry without a text key and a value")),
            }
        }
        match self.stack.last_mut() {
            Some(Item { value: Plain::Dict(dict), depth: own, .. }) => {
                dict.append(&mut entries);
                *own = depth.max(*own);
                Ok(())
            }
            _ => Err(self.malformed("an entry for no dict")),
        }
    }

    fn take(&mut self, n_items: usize) -> Result<Vec<Item>, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(n_items) {
            Some(from) if floor <= from => Ok(self.stack.split_off(from)),
            _ => Err(self.malformed("too few values on the stack")),
        }
    }

    fn since_mark(&mut self) -> Result<Vec<Item>, PickleError> {
        let from = self.marks.pop().ok_or_else(|| self.malformed("no open mark"))?;
        Ok(self.stack.split_off(from))
    }

    fn leaf(&mut self, value: Plain) -> Result<(), PickleError> {
        self.push(value, 0, None)
    }

    fn push(
        &mut self,
        value: Plain,
        depth: u8,
        source: Option<Range<usize>>,
    ) -> Result<(), PickleError> {
        self.spend(NODE_BYTES)?;
        self.stack.push(Item { value, depth, source });
        Ok(())
    }

    fn spend(&mut self, n_bytes: usize) -> Result<(), PickleError> {
        self.memory = self.memory.saturating_add(n_bytes);
        if self.max_memory < self.memory {
            return Err(PickleError::TooLarge { max: self.max_memory });
        }
        Ok(())
    }

    fn slice(&mut self, n_bytes: usize) -> Result<Range<usize>, PickleError> {
        let end = self.at.checked_add(n_bytes).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(PickleError::Truncated { at: self.bytes.len() });
        };
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let range = self.slice(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[range]);
        Ok(array)
    }

    fn malformed(&self, reason: &'static str) -> PickleError {
        PickleError::Malformed { reason, at: self.at }
    }
}

/// The depth of a container around these items.
fn depth_around(items: &[Item]) -> Result<u8, PickleError> {
    let depth = items.iter().map(|item| item.depth).max().unwrap_or(0) + 1;
    if depth <= MAX_DEPTH { Ok(depth) } else { Err(PickleError::TooDeep) }
}
