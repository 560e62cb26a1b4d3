/// b24restdocs, settings/how-to-call-rest-api/batch.md
extension PortalWorld {
    private static let mostCalls = 50

    mutating func batch(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        var commands = call.parameters["cmd"] ?? .emptyMap
        // A map written as JSON text is taken as well.
        if case .text(let text) = commands { commands = PHPValue(json: text.utf8) ?? .emptyMap }
        let halts = !["", "0", "false"].contains(call.parameters["halt"]?.text?.lowercased() ?? "")
        var (results, errors, totals) = (PHPValue.emptyMap, PHPValue.emptyMap, PHPValue.emptyMap)
        var (nexts, times) = (PHPValue.emptyMap, PHPValue.emptyMap)
        for (position, command) in commands.members.enumerated() {
            let inner = Self.call(command.value.text ?? "", results, portal: call.portal)
            let result: RESTResult =
                if position >= Self.mostCalls {
                    .failure(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
                } else if inner.method.lowercased() == "batch" {
                    .failure(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
                } else {
                    performWithFaults(inner, caller, at: index)
                }
            switch result {
            case .result(let value, let more):
                results.set(command.name, value)
                for member in more where member.name == "total" { totals.set(command.name, member.value) }
                for member in more where member.name == "next" { nexts.set(command.name, member.value) }
                times.set(command.name, timing(of: inner))
            case .failure(_, let code, let words):
                errors.set(command.name, ["error": .text(code), "error_description": .text(words)])
            }
            if halts, result.errorCode != nil { break }
        }
        return .result([
            "result": results, "result_error": errors, "result_total": totals, "result_next": nexts,
            "result_time": times,
        ])
    }

    private mutating func performWithFaults(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        let fault = takeFault(for: call)
        let result: RESTResult
        switch fault?.kind {
        case .error(let code, let words, let status): result = .failure(status, code, words)
        case .undone(let answer): result = .result(.bool(answer))
        case .expired: result = .failure(401, "expired_token", "The access token provided has expired.")
        case .page, .slow, .dropped, .answerLost, nil: result = timed(call, caller, at: index)
        }
        note(call, status: 200, error: result.errorCode, fault: fault?.name)
        return result
    }

    /// `method?query` as a call.
    private static func call(_ command: String, _ results: PHPValue, portal: Int?) -> RESTCall {
        let parts = command.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first ?? ""
        let name = path.split(separator: "/" as Character).last.map(String.init) ?? ""
        let parameters = (try? PHPValue(form: (parts.count > 1 ? parts[1] : "").utf8)) ?? .emptyMap
        return RESTCall(
            portal: portal,
            method: name.lowercased().hasSuffix(".json") ? String(name.dropLast(5)) : name,
            parameters: resolved(parameters, results),
            isInBatch: true
        )
    }

    /// `$result[id][field]` stands for what an earlier call of the batch had.
    private static func resolved(_ parameters: PHPValue, _ results: PHPValue) -> PHPValue {
        switch parameters {
        case .text(let text): return reference(text, results) ?? parameters
        case .list(let values): return .list(values.map { resolved($0, results) })
        case .map(let members): return .map(members.map { .init($0.name, resolved($0.value, results)) })
        default: return parameters
        }
    }

    private static func reference(_ text: String, _ results: PHPValue) -> PHPValue? {
        guard text.hasPrefix("$result[") else { return nil }
        var value: PHPValue? = results
        for name in text.dropFirst("$result".count).split(whereSeparator: { $0 == "[" || $0 == "]" }) {
            value = value?.members.last { $0.name == name }?.value
        }
        return value ?? .null
    }
}
