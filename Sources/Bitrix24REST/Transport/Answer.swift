internal import Foundation

/// What a portal or an authorization server answered to a call that it did.
struct Answer: Sendable {
    /// The whole answer. Never quoted.
    let json: JSONValue
    var result: JSONValue? { json["result"] }

    /// - Throws: what stands for an answer that is none, or an error, which may come with status 200.
    init(status: Int, body: Data, of call: CallName, words: SafeText) throws(RESTError) {
        if (300..<400).contains(status) {
            throw call.error(.moved, status: status, "answered with a redirect, which is not followed")
        }
        guard let json = try? JSONValue(json: body), json.members != nil else {
            throw call.error(.notJSON, status: status, "answered HTTP \(status) with something else than JSON")
        }
        self.json = json
        switch json["error"] {
        case nil, .null:
            guard (200..<300).contains(status) else {
                throw call.error(.notJSON, status: status, "answered HTTP \(status) without an error's code")
            }
        case .some(let error):
            let description = json["error_description"]?.text ?? json["error_message"]?.text ?? ""
            throw call.error(
                error.text.map(words.code) ?? .unnamed,
                status: status,
                words.clean(description.isEmpty ? "without a description" : description),
                retryAfter: Self.reset(json["time"])
            )
        }
    }

    /// How long until the operating time of `method` is counted anew, as far as the answer says.
    func operatingReset(of method: String, in called: String) -> Duration? {
        // A batch's own time is nobody's; those of its calls stand with them.
        called == method ? Self.reset(json["time"]) : nil
    }

    /// By the portal's own clock, which stands in the answer as well.
    static func reset(_ time: JSONValue?) -> Duration? {
        guard let time, let reset = time["operating_reset_at"]?.number, let now = time["finish"]?.number,
            reset.isFinite, now.isFinite, abs(reset - now) < 86_400
        else { return nil }
        return .seconds(reset - now)
    }
}
