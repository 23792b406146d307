//! The default detector as plain values and back.

use super::walk::{Units, Walk};
use super::{Auto, Seasonal, SeasonalParams};
use crate::detect::artifact::{DecodeError, ensure, float, int};
use crate::domain::{Plain, Timestamp};

impl Auto {
    pub(in crate::detect) fn to_plain(&self) -> Plain {
        let mut fields = self.params.to_plain();
        fields.extend([
            ("seasonal".to_owned(), self.seasonal.to_narrow()),
            ("cadence_seconds".into(), Plain::Float(self.cadence)),
            ("days".into(), Plain::Float(self.days)),
            ("middle".into(), Plain::Float(self.walk.units.middle)),
            ("spread".into(), Plain::Float(self.walk.units.spread)),
            ("walked_to_us".into(), Plain::Int(self.walked_to.micros())),
            ("walk".into(), Plain::from_f32s(&self.walk.pack()).bare()),
        ]);
        Plain::Dict(fields)
    }

    pub(in crate::detect) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let seasonal = plain.get("seasonal").ok_or(DecodeError::Missing { field: "seasonal" })?;
        let positive = |field| {
            let value = float(plain, field)?;
            ensure(0.0 < value, field)?;
            Ok(value)
        };
        let units = Units { middle: float(plain, "middle")?, spread: positive("spread")? };
        let cadence = positive("cadence_seconds")?;
        let numbers = plain.get("walk").and_then(Plain::to_f32s);
        let numbers = numbers.ok_or(DecodeError::Missing { field: "walk" })?;
        let walk = Walk::unpack(units, cadence, &numbers);
        let walked_to = Timestamp::from_micros(int(plain, "walked_to_us")?);
        Ok(Self {
            params: SeasonalParams::from_plain(plain)?,
            seasonal: Seasonal::from_narrow(seasonal, cadence)?,
            cadence,
            days: float(plain, "days")?,
            walk: walk.ok_or(DecodeError::Inconsistent { field: "walk" })?,
            walked_to: walked_to.ok_or(DecodeError::Inconsistent { field: "walked_to_us" })?,
        })
    }
}
