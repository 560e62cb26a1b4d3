import Foundation
import KafkaClient

/// A delivered record for people: where it is, its key and headers, its value indented.
enum DeliveredRecordText {
    static func pretty(_ report: borrowing DeliveryReport) -> String {
        var text = "--- \(report.topicName) [\(report.partition)] @\(report.offset)\n"
        text += "key: \(String(decoding: report.key, as: UTF8.self))\n"
        var headers = ""
        report.forEachHeader { header in
            headers +=
                "\(String(decoding: header.name, as: UTF8.self)): \(String(decoding: header.value, as: UTF8.self))\n"
        }
        return text + headers + indented(Data(report.value)) + "\n\n"
    }

    private static func indented(_ value: Data) -> String {
        guard let object = try? JSONSerialization.jsonObject(with: value, options: .fragmentsAllowed),
            let pretty = try? JSONSerialization.data(
                withJSONObject: object,
                options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes, .fragmentsAllowed]
            )
        else { return String(decoding: value, as: UTF8.self) }
        return String(decoding: pretty, as: UTF8.self)
    }
}
