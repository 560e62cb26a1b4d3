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
        try await replies(to: calls, of: memberID).map(\.result)
    }

    /// The same, with what each call says of its pages.
    func replies(to calls: [BatchCall], of memberID: String) async throws(RESTError) -> [BatchReply] {
        var replies: [BatchReply] = []
        replies.reserveCapacity(calls.count)
        while replies.count < calls.count {
            let part = Array(calls[replies.count...].prefix(Self.batchLength))
            do throws(RESTError) {
                replies += try await oneBatch(part, of: memberID)
            } catch {
                if replies.isEmpty { throw error }
                let failure = BatchReply(result: .failure(error))
                replies += Array(repeating: failure, count: calls.count - replies.count)
            }
        }
        return replies
    }

    private func oneBatch(
        _ calls: [BatchCall],
        of memberID: String
    ) async throws(RESTError) -> [BatchReply] {
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
        let totals = answer.result?["result_total"]?.members
        let nexts = answer.result?["result_next"]?.members
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
            return BatchReply(
                result: call.judged(result, of: memberID),
                total: totals?[name]?.integer.map(Int.init),
                next: nexts?[name]?.integer.map(Int.init)
            )
        }
    }
}

/// What one call of a batch was answered.
struct BatchReply: Sendable {
    let result: Result<JSONValue, RESTError>
    /// Rows of all pages, of a method that lists.
    var total: Int?
    /// Where the next page starts.
    var next: Int?
}
