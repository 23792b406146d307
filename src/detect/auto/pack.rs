//! State as single-precision numbers in a row, and back. What is kept between rows is kept in this
//! precision in memory too, so that a model read back goes on exactly as the one that was written.

/// Numbers are clamped to this, far inside what single precision holds.
pub(super) const MOST: f64 = 1e30;

/// A number as it is kept; 0 for what is none.
pub(super) fn kept(value: f64) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-MOST, MOST) as f32 }
}

/// Numbers being written.
#[derive(Debug, Default)]
pub(super) struct Pack(pub(super) Vec<f32>);

impl Pack {
    pub(super) fn number(&mut self, value: f32) {
        self.0.push(value);
    }

    /// A count; those beyond what single precision can count are written as that.
    pub(super) fn count(&mut self, count: u32) {
        self.0.push(count.min(MOST_COUNT) as f32);
    }

    /// A list with its length in front.
    pub(super) fn list(&mut self, values: impl ExactSizeIterator<Item = f32>) {
        self.count(values.len() as u32);
        self.0.extend(values);
    }
}

/// Whole numbers up to here are exact in single precision.
pub(super) const MOST_COUNT: u32 = 1 << 24;

/// Numbers being read; `None` where they end too early or make no sense.
#[derive(Debug)]
pub(super) struct Unpack<'a>(pub(super) &'a [f32]);

impl Unpack<'_> {
    pub(super) fn number(&mut self) -> Option<f32> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (first.abs() <= MOST as f32).then_some(*first)
    }

    pub(super) fn not_negative(&mut self) -> Option<f32> {
        self.number().filter(|number| 0.0 <= *number)
    }

    pub(super) fn count(&mut self, most: u32) -> Option<u32> {
        let number = self.not_negative()?;
        (number.fract() == 0.0 && number <= most as f32).then_some(number as u32)
    }

    pub(super) fn list(&mut self, most: usize) -> Option<Vec<f32>> {
        let n_values = self.count(most as u32)?;
        (0..n_values).map(|_| self.number()).collect()
    }
}
