package import Foundation

extension JSONValue: Codable {
    /// - Throws: `DecodingError` for what is no JSON.
    package init(json: Data) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: json)
    }

    /// Members in the order of their names.
    package var json: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        // Nothing else can fail: every case below is JSON.
        return (try? encoder.encode(self)) ?? Data("null".utf8)
    }

    package init(from decoder: any Decoder) throws {
        // The containers first: their mismatch is found by the first byte.
        if let keyed = try? decoder.container(keyedBy: Name.self) {
            var members: [String: JSONValue] = [:]
            members.reserveCapacity(keyed.allKeys.count)
            for key in keyed.allKeys { members[key.stringValue] = try keyed.decode(JSONValue.self, forKey: key) }
            self = .object(members)
        } else if var list = try? decoder.unkeyedContainer() {
            var elements: [JSONValue] = []
            while !list.isAtEnd { elements.append(try list.decode(JSONValue.self)) }
            self = .array(elements)
        } else {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self = .string(text)
            } else if let number = try? value.decode(Int64.self) {
                self = .int(number)
            } else if let number = try? value.decode(Double.self) {
                self = .double(number)
            } else if let flag = try? value.decode(Bool.self) {
                self = .bool(flag)
            } else {
                guard value.decodeNil() else {
                    throw DecodingError.dataCorruptedError(in: value, debugDescription: "no JSON value")
                }
                self = .null
            }
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let members):
            var keyed = encoder.container(keyedBy: Name.self)
            for (name, value) in members { try keyed.encode(value, forKey: Name(stringValue: name)) }
        case .array(let elements):
            var list = encoder.unkeyedContainer()
            for element in elements { try list.encode(element) }
        default:
            var value = encoder.singleValueContainer()
            switch self {
            case .bool(let flag): try value.encode(flag)
            case .int(let number): try value.encode(number)
            case .double(let number): try value.encode(number)
            case .string(let text): try value.encode(text)
            default: try value.encodeNil()
            }
        }
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
