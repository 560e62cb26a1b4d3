/// One call within a batch.
///
/// Source: b24restdocs, settings/how-to-call-rest-api/batch.md
package struct BatchCall: Sendable {
    package let method: String
    package let parameters: [String: JSONValue]

    package init(_ method: String, _ parameters: [String: JSONValue] = [:]) {
        self.method = method
        self.parameters = parameters
    }

    /// - Parameter minTimeout: seconds, for ONOFFLINEEVENT only.
    package static func bind(_ binding: EventBinding, minTimeout: Int64? = nil) -> BatchCall {
        var parameters = binding.parameters
        if let minTimeout { parameters["options"] = ["minTimeout": .int(minTimeout)] }
        return BatchCall("event.bind", parameters)
    }

    /// What is left out widens the match: without a user those of all users would go.
    package static func unbind(_ binding: EventBinding) -> BatchCall {
        let exact: [String: JSONValue] =
            binding.isOffline
            ? ["auth_connector": .string(binding.connector)] : ["auth_type": .int(binding.authType)]
        return BatchCall("event.unbind", binding.parameters.merging(exact) { _, exact in exact })
    }

    /// As `cmd` wants it.
    var command: String {
        let query = FormQuery.text(parameters)
        return query.isEmpty ? method : "\(method)?\(query)"
    }

    /// What a bare result means: a binding that exists is a success.
    func judged(
        _ result: Result<JSONValue, RESTError>,
        of memberID: String
    ) -> Result<JSONValue, RESTError> {
        guard method == "event.bind" else { return result }
        switch result {
        case .success(false):
            let call = CallName(portal: memberID, method: method)
            return .failure(call.error(.handlerRefused, status: 200, "the handler's URL was not accepted"))
        case .failure(let error) where error.isAlreadyBound: return .success(true)
        default: return result
        }
    }
}

extension RESTError {
    /// The very binding exists. Bitrix24 has no code of its own for it.
    var isAlreadyBound: Bool {
        let text = message.lowercased()
        return code == Code("error_core") && (text.contains("already binded") || text.contains("already bound"))
    }
}
