//! The public holidays of countries, by ISO 3166 code. National ones only: the tables know no
//! regions.

use chrono::NaiveDate;
use holidays_rs::{Calendar, Country};

use super::YEARS;

/// The codes of the countries whose holidays are known, in order.
const CODES: &[(&str, Country)] = &[
    ("AD", Country::Andorra),
    ("AS", Country::AmericanSamoa),
    ("AT", Country::Austria),
    ("AU", Country::Australia),
    ("AW", Country::Aruba),
    ("AX", Country::AlandIslands),
    ("BE", Country::Belgium),
    ("BL", Country::SaintBarthelemy),
    ("BQ", Country::CaribbeanNetherlands),
    ("BR", Country::Brazil),
    ("BW", Country::Botswana),
    ("CA", Country::Canada),
    ("CD", Country::DrCongo),
    ("CG", Country::Congo),
    ("CH", Country::Switzerland),
    ("CV", Country::CaboVerde),
    ("CW", Country::Curacao),
    ("CY", Country::Cyprus),
    ("CZ", Country::Czechia),
    ("DE", Country::Germany),
    ("DK", Country::Denmark),
    ("EE", Country::Estonia),
    ("ES", Country::Spain),
    ("FI", Country::Finland),
    ("FK", Country::FalklandIslands),
    ("FM", Country::Micronesia),
    ("FO", Country::FaroeIslands),
    ("FR", Country::France),
    ("GB", Country::UnitedKingdom),
    ("GF", Country::FrenchGuiana),
    ("GL", Country::Greenland),
    ("GP", Country::Guadeloupe),
    ("GQ", Country::EquatorialGuinea),
    ("GR", Country::Greece),
    ("GU", Country::Guam),
    ("HR", Country::Croatia),
    ("HT", Country::Haiti),
    ("ID", Country::Indonesia),
    ("IE", Country::Ireland),
    ("IS", Country::Iceland),
    ("IT", Country::Italy),
    ("JM", Country::Jamaica),
    ("LC", Country::SaintLucia),
    ("LI", Country::Liechtenstein),
    ("LR", Country::Liberia),
    ("LS", Country::Lesotho),
    ("LT", Country::Lithuania),
    ("LU", Country::Luxembourg),
    ("LV", Country::Latvia),
    ("MC", Country::Monaco),
    ("MF", Country::SaintMartin),
    ("MP", Country::NorthernMarianaIslands),
    ("MQ", Country::Martinique),
    ("MT", Country::Malta),
    ("MW", Country::Malawi),
    ("MX", Country::Mexico),
    ("MZ", Country::Mozambique),
    ("NA", Country::Namibia),
    ("NC", Country::NewCaledonia),
    ("NF", Country::NorfolkIsland),
    ("NI", Country::Nicaragua),
    ("NL", Country::Netherlands),
    ("NO", Country::Norway),
    ("NR", Country::Nauru),
    ("NU", Country::Niue),
    ("NZ", Country::NewZealand),
    ("PA", Country::Panama),
    ("PE", Country::Peru),
    ("PF", Country::FrenchPolynesia),
    ("PL", Country::Poland),
    ("PM", Country::SaintPierreAndMiquelon),
    ("PN", Country::PitcairnIslands),
    ("PT", Country::Portugal),
    ("PW", Country::Palau),
    ("RE", Country::Reunion),
    ("RO", Country::Romania),
    ("SE", Country::Sweden),
    ("SI", Country::Slovenia),
    ("SJ", Country::SvalbardAndJanMayen),
    ("SK", Country::Slovakia),
    ("ST", Country::SaoTomeAndPrincipe),
    ("SV", Country::ElSalvador),
    ("SX", Country::SintMaarten),
    ("TF", Country::FrenchSouthernTerritories),
    ("TK", Country::Tokelau),
    ("UM", Country::UnitedStatesMinorOutlyingIslands),
    ("US", Country::UnitedStates),
    ("UY", Country::Uruguay),
    ("VI", Country::UnitedStatesVirginIslands),
    ("WF", Country::WallisAndFutuna),
    ("WS", Country::Samoa),
    ("YT", Country::Mayotte),
];

/// The country's public holidays; `None` when its code is not known.
pub(super) fn holidays(code: &str) -> Option<Vec<NaiveDate>> {
    let index = CODES.binary_search_by_key(&code, |(known, _)| known).ok()?;
    let calendar = Calendar::new(CODES.get(index)?.1);
    let days = YEARS.flat_map(|year| calendar.holidays_in(year));
    let date = |day: holidays_rs::Date| {
        NaiveDate::from_ymd_opt(day.year, u32::from(day.month), u32::from(day.day))
    };
    Some(days.filter_map(|(day, _)| date(day)).collect())
}

/// The codes that may be meant: those of the country of that name, else those that begin alike.
pub(super) fn near(written: &str) -> Vec<&'static str> {
    let upper = written.to_uppercase();
    let is_named = |country: &Country| country.name().to_uppercase() == upper;
    let exact: Vec<&str> = CODES
        .iter()
        .filter(|(code, country)| *code == upper || is_named(country))
        .map(|(code, _)| *code)
        .chain((upper == "UK").then_some("GB"))
        .collect();
    match upper.chars().next() {
        Some(first) if exact.is_empty() => {
            CODES.iter().map(|(code, _)| *code).filter(|code| code.starts_with(first)).collect()
        }
        _ => exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_of_the_tables_has_one_code() {
        assert!(CODES.is_sorted_by(|one, other| one.0 < other.0));
        for country in Country::ALL {
            assert_eq!(
                CODES.iter().filter(|(_, known)| known == country).count(),
                1,
                "{country:?}"
            );
        }
    }

    #[test]
    fn ireland_has_its_ten_days_and_a_name_finds_its_code() {
        let days = holidays("IE").unwrap();
        let in_2026: Vec<String> =
            days.iter().map(NaiveDate::to_string).filter(|day| day.starts_with("2026")).collect();
        for day in ["2026-01-01", "2026-02-02", "2026-03-17", "2026-04-06", "2026-12-25"] {
            assert!(in_2026.contains(&day.to_owned()), "{in_2026:?}");
        }
        assert_eq!(in_2026.len(), 10, "{in_2026:?}");
        assert_eq!(holidays("ie"), None);
        assert_eq!(near("ireland"), ["IE"]);
        assert_eq!(near("UK"), ["GB"]);
        assert_eq!(near("IX"), ["ID", "IE", "IS", "IT"]);
        assert!(near("").is_empty());
    }
}
