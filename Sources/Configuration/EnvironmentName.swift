/// How a key is called in the environment: camel case split, upper case, what is neither letter nor digit becomes `_`.
/// `bootstrapServers` is `BOOTSTRAP_SERVERS`, `sasl.username` is `SASL_USERNAME`, `baseURLPath` is `BASE_URL_PATH`.
enum EnvironmentName {
    static func part(_ key: String) -> String {
        let scalars = Array(key.unicodeScalars)
        var name = ""
        for (index, scalar) in scalars.enumerated() {
            guard isLower(scalar) || isUpper(scalar) || isDigit(scalar) else {
                name += "_"
                continue
            }
            if index > 0, isUpper(scalar) {
                let before = scalars[index - 1]
                let endsAcronym = isUpper(before) && index + 1 < scalars.count && isLower(scalars[index + 1])
                if isLower(before) || isDigit(before) || endsAcronym { name += "_" }
            }
            name.unicodeScalars.append(scalar)
        }
        return name.uppercased()
    }

    /// The dotted name that a variable's rest stands for: `SASL_USERNAME` is `sasl.username`.
    static func dotted(_ rest: some StringProtocol) -> String {
        String(rest.lowercased().map { $0 == "_" ? "." : $0 })
    }

    private static func isLower(_ scalar: Unicode.Scalar) -> Bool { ("a"..."z").contains(scalar) }
    private static func isUpper(_ scalar: Unicode.Scalar) -> Bool { ("A"..."Z").contains(scalar) }
    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
}
