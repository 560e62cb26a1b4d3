extension EnvelopeID {
    /// Drawn once, and the same for ever: with another one all rows would seem to be new.
    private static let offlineRows = EnvelopeID(high: 0xC2D1_6E0B_7A94_4F3C, low: 0x9B5E_31F8_D60A_47C1)

    /// The id of the event that a row of a portal's offline queue tells of: the same however often the row is fetched.
    ///
    /// - Parameters:
    ///   - row: The row's `ID`.
    ///   - changedAt: Its `TIMESTAMP_X` in Unix seconds, decimal; the text as sent if that is no time.
    package init(offlineRow row: String, changedAt: String, of memberID: String) {
        self.init(derivedFrom: "\(memberID)/\(row)/\(changedAt)", in: Self.offlineRows)
    }
}
