/// A piece of an HTML page. Markup can only stand in the source; whatever is put into it is escaped, unless it is markup.
///
///     let row: Markup = "<tr><td title=\"\(domain)\">\(domain)</td></tr>"
///
/// Attributes stand in quotes, and no value is put into an address, a style or a script: there other rules hold.
struct Markup: Sendable, Equatable, ExpressibleByStringInterpolation {
    private(set) var text: String

    init(stringLiteral text: StaticString) { self.text = text.description }

    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    static func joined(_ pieces: some Sequence<Markup>) -> Markup {
        pieces.reduce(into: "") { $0.text += $1.text }
    }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount * 16)
        }

        /// The type lets nothing pass that came into being while the program runs.
        mutating func appendLiteral(_ literal: StaticString) { text += literal.description }

        mutating func appendInterpolation(_ markup: Markup) { text += markup.text }

        mutating func appendInterpolation(_ markup: Markup?) { text += markup?.text ?? "" }

        mutating func appendInterpolation(_ pieces: [Markup]) { for piece in pieces { text += piece.text } }

        mutating func appendInterpolation(_ number: Int) { text += String(number) }

        mutating func appendInterpolation(_ value: String) {
            // By scalars: to a character, `<` with an accent over it is no `<`, and to a browser it is.
            for scalar in value.unicodeScalars {
                switch scalar {
                case "&": text += "&amp;"
                case "<": text += "&lt;"
                case ">": text += "&gt;"
                case "\"": text += "&quot;"
                case "'": text += "&#39;"
                case "\t", "\n", "\r": text += " "
                case _ where scalar.isInvisibleControl: text.unicodeScalars.append("\u{FFFD}")
                default: text.unicodeScalars.append(scalar)
                }
            }
        }
    }
}

extension Unicode.Scalar {
    /// Control characters, and those that turn the direction of the text around them: a name with one can pass for another.
    fileprivate var isInvisibleControl: Bool {
        properties.generalCategory == .control || properties.isBidiControl
    }
}
