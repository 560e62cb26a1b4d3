/// Addresses for people.
enum ShownAddress {
    /// Without a name with its password, and without the query: they may be secrets of an ingress.
    static func text(_ url: String) -> String {
        let address = url.prefix { $0 != "?" && $0 != "#" }
        var shown = String(address)
        if let scheme = address.firstRange(of: "://") {
            let authority = address[scheme.upperBound...].prefix { $0 != "/" }
            if let at = authority.lastIndex(of: "@") {
                shown = address[..<scheme.upperBound] + "[redacted]" + address[at...]
            }
        }
        return shown + (address.endIndex < url.endIndex ? "?[redacted]" : "")
    }
}
