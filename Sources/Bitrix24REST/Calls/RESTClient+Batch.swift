extension RESTClient {
    /// Most calls of one batch.
    static let batchLength = 50

    /// Many calls at the cost of few: 50 count as one for the portal's rate, though each for its operating time. They are done in
    /// their order, and one's failure does not keep the others from being done.
    ///
    /// - Returns: of each call, in the calls' order, its result or error. A binding that existed already is a success.
    /// - Throws: when not even the first 50 could be sent. Where later ones cannot, each of them has the error.
    package func batch(
        _ calls: [BatchCall],
        of memberID: String
    ) async throws(RESTError) -> [Result<JSONValue, RESTError>] {
        var results: [Result<JSONValue, RESTError>] = []
        results.reserveCapacity(calls.count)
        while results.count < calls.count {
            let part = Array(calls[results.count...].prefix(Self.batchLength))
            do throws(RESTError) {
                results += try await oneBatch(part, of: memberID)
            } catch {
                if results.isEmpty { throw error }
                results += Array(repeating: .failure(error), count: calls.count - results.count)
            }
        }
        return results
    }

    private func oneBatch(
        _ calls: [BatchCall],
        of memberID: String
    ) async throws(RESTError) -> [Result<JSONValue, RESTError>] {
        // Not numbers alone, which PHP would answer as a list.
        let names = calls.indices.map { "c\($0)" }
        let commands = Dictionary(uniqueKeysWithValues: zip(names, calls.map { JSONValue.string($0.command) }))
        let answer = try await answer(
            "batch",
            ["halt": 0, "cmd": .object(commands)],
            of: memberID,
            limitedBy: Set(calls.map(\.method))
        )
        let results = answer.result?["result"]?.members
        let errors = answer.result?["result_error"]?.members
        guard let results, let errors else {
            throw CallName(portal: memberID, method: "batch")
                .error(.notJSON, status: 200, "answered without the results of its calls")
        }
        let times = answer.result?["result_time"]?.members ?? [:]
        let words = SafeText(secrets: [settings.clientSecret])
        return zip(names, calls).map { name, call in
            let callName = CallName(portal: memberID, method: call.method)
            let result: Result<JSONValue, RESTError>
            if let error = errors[name] {
                // A plain text in old versions.
                let description = error["error_description"]?.text ?? error.text ?? ""
                result = .failure(
                    callName.error(
                        error["error"]?.text.map(words.code) ?? .unnamed,
                        status: 200,
                        words.clean(description.isEmpty ? "without a description" : description),
                        retryAfter: Answer.reset(times[name])
                    )
                )
            } else if let value = results[name] {
                result = .success(value)
            } else {
                result = .failure(callName.error(.notJSON, status: 200, "is missing in the batch's answer"))
            }
            switch result {
            case .success: operating.answered(memberID, call.method, reset: Answer.reset(times[name]))
            case .failure(let error): operating.failed(memberID, [call.method], error)
            }
            return call.judged(result, of: memberID)
        }
    }
}
