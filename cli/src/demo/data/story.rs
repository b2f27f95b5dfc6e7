//! The rows of the story: the same at every scale, so that what the tour and
//! the documentation show is exact.

/// First day of the quarter under embargo is day 0.
pub(super) struct StoryOrder {
    pub(super) order_id: i64,
    pub(super) customer_id: i64,
    pub(super) store_id: &'static str,
    pub(super) day: i64,
    pub(super) total_cents: i64,
    pub(super) margin_cents: i64,
    pub(super) card: &'static str,
}

pub(super) struct StoryCustomer {
    pub(super) customer_id: i64,
    pub(super) full_name: &'static str,
    pub(super) email: &'static str,
    pub(super) birth_date: &'static str,
    pub(super) region: &'static str,
    pub(super) segment: &'static str,
    pub(super) marketing_consent: bool,
}

pub(super) struct Store {
    pub(super) store_id: &'static str,
    pub(super) region: &'static str,
    pub(super) org_path: &'static str,
}

pub(super) const STORES: [Store; 7] = [
    store("berlin", "DE", "/emea/dach/berlin"),
    store("munich", "DE", "/emea/dach/munich"),
    store("vienna", "AT", "/emea/dach/vienna"),
    store("graz", "AT", "/emea/dach/graz"),
    store("paris", "FR", "/emea/west/paris"),
    store("lyon", "FR", "/emea/west/lyon"),
    store("lille", "FR", "/emea/west/lille"),
];

/// 1003 is under embargo, and its 999.00 is what nobody can find out.
pub(super) const ORDERS: [StoryOrder; 8] = [
    order(1001, 1, "berlin", -40, 12_000, 3_000, "4111111111111111"),
    order(1002, 2, "paris", -35, 8_000, 1_600, "5500000000000004"),
    order(1003, 2, "berlin", 0, 99_900, 25_000, "5500000000000004"),
    order(1004, 3, "vienna", -30, 30_000, 7_500, "340000000000009"),
    order(1005, 4, "vienna", -25, 5_550, 1_110, "4012888888881881"),
    order(1006, 1, "munich", -20, 4_000, 800, "4111111111111111"),
    order(1007, 5, "graz", -10, 21_000, 6_300, "30000000000004"),
    order(1008, 6, "lyon", -12, 7_800, 1_950, "6011000000000004"),
];

pub(super) const CUSTOMERS: [StoryCustomer; 6] = [
    customer(1, "Greta Winter", "greta@winter.example", "1984-02-11", "DE", "gold", true),
    customer(2, "Paul Sommer", "paul@sommer.example", "1991-07-30", "FR", "new", true),
    customer(3, "Lina Herbst", "lina@herbst.example", "2001-10-05", "AT", "new", true),
    customer(4, "Emil Lenz", "emil@lenz.example", "1975-04-18", "AT", "regular", false),
    customer(5, "Nora Berg", "nora@berg.example", "1968-12-24", "AT", "gold", false),
    customer(6, "Hugo Petit", "hugo@petit.example", "1999-03-01", "FR", "new", true),
];

const fn store(store_id: &'static str, region: &'static str, org_path: &'static str) -> Store {
    Store { store_id, region, org_path }
}

const fn order(
    order_id: i64,
    customer_id: i64,
    store_id: &'static str,
    day: i64,
    total_cents: i64,
    margin_cents: i64,
    card: &'static str,
) -> StoryOrder {
    StoryOrder { order_id, customer_id, store_id, day, total_cents, margin_cents, card }
}

const fn customer(
    customer_id: i64,
    full_name: &'static str,
    email: &'static str,
    birth_date: &'static str,
    region: &'static str,
    segment: &'static str,
    marketing_consent: bool,
) -> StoryCustomer {
    StoryCustomer { customer_id, full_name, email, birth_date, region, segment, marketing_consent }
}

/// The store of this name, as far as there is one.
pub(super) fn region_of(store_id: &str) -> &'static str {
    STORES.iter().find(|store| store.store_id == store_id).map_or("DE", |store| store.region)
}
