/// What a call does where the portal bids it wait, or gives no answer.
enum CallPatience: Sendable {
    /// It waits, and is repeated, for minutes.
    case waits
    /// It fails at once, for whoever has other portals to look after meanwhile. New tokens and a new address are got all the
    /// same, once each; and it waits for its turn in the portal's rate, which `budget` tells beforehand.
    case failsAtOnce
}
