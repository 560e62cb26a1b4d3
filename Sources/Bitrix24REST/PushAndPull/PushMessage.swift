internal import Foundation

/// What a Push & Pull server sends in one piece.
///
/// Source: b24restdocs, settings/interactivity/custom-push-and-pull-client.md
struct PushMessage: Sendable, Equatable {
    /// Where a server of version 3 or later goes on after it. Nil in what has none.
    let mid: String?
    /// Where an older one goes on: of the headers Etag and Last-Modified that its ancestor, an nginx module, sends.
    let tag: String?
    let time: String?
    let module: String
    let command: String
    let parameters: JSONValue

    init(_ json: JSONValue) {
        mid = json["mid"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        tag = json["tag"]?.text
        time = json["time"]?.text
        var text = json["text"]
        // Some servers send it as a text that holds JSON.
        if case .string(let inner) = text { text = try? JSONValue(json: Data(inner.utf8)) }
        module = text?["module_id"]?.text ?? ""
        command = text?["command"]?.text ?? ""
        parameters = text?["params"] ?? .null
    }

    /// Whether it says that the portal's queues have something.
    var tellsOfQueues: Bool { module == "rest" && command == "event_offline" }
}

extension PushMessage {
    private static let opening = Data("#!NGINXNMS!#".utf8)
    private static let closing = Data("#!NGINXNME!#".utf8)

    /// The messages of one answer: a JSON array (`format=json`), or any number of them between markers. What is not readable
    /// among them is left out.
    ///
    /// - Returns: `nil` when it is neither.
    static func all(in body: Data) -> [PushMessage]? {
        guard body.range(of: opening) == nil else { return marked(body) }
        switch try? JSONValue(json: body) {
        case .array(let messages): return messages.filter { $0.members != nil }.map(PushMessage.init)
        case .object(let message): return [PushMessage(.object(message))]
        default: return nil
        }
    }

    private static func marked(_ body: Data) -> [PushMessage] {
        var messages: [PushMessage] = []
        var rest = body[...]
        while let start = rest.range(of: opening) {
            rest = rest[start.upperBound...]
            guard let end = rest.range(of: closing) else { break }
            if let json = try? JSONValue(json: Data(rest[..<end.lowerBound])), json.members != nil {
                messages.append(PushMessage(json))
            }
            rest = rest[end.upperBound...]
        }
        return messages
    }
}
