extension RESTClient {
    /// Binds, and is content when the binding exists already.
    ///
    /// - Parameter minTimeout: seconds, for ONOFFLINEEVENT only.
    package func bind(
        _ binding: EventBinding,
        minTimeout: Int64? = nil,
        of memberID: String
    ) async throws(RESTError) {
        let call = BatchCall.bind(binding, minTimeout: minTimeout)
        let result: Result<JSONValue, RESTError>
        do throws(RESTError) {
            result = .success(try await self.call(call.method, call.parameters, of: memberID))
        } catch {
            result = .failure(error)
        }
        _ = try call.judged(result, of: memberID).get()
    }

    /// - Returns: how many were unbound.
    @discardableResult
    package func unbind(_ binding: EventBinding, of memberID: String) async throws(RESTError) -> Int {
        let call = BatchCall.unbind(binding)
        let result = try await self.call(call.method, call.parameters, of: memberID)
        return Int(result["count"]?.integer ?? 0)
    }

    /// What the application has bound there (`event.get`).
    package func bindings(of memberID: String) async throws(RESTError) -> [EventBinding] {
        try await list("event.get", of: memberID).compactMap(EventBinding.init)
    }

    /// Codes of the events that the application may bind there.
    package func events(of memberID: String) async throws(RESTError) -> [String] {
        try await list("events", of: memberID).compactMap { $0.text?.uppercased() }
    }

    /// Has the portal send an ONAPPTEST with `query` as its `data[QUERY]`. Needs a binding of ONAPPTEST.
    package func testEvent(_ query: [String: JSONValue], of memberID: String) async throws(RESTError) {
        try await call("event.test", query, of: memberID)
    }

    /// - Throws: `notJSON` when the answer is no list, so that "nothing" is never read out of something else.
    func list(_ method: String, of memberID: String) async throws(RESTError) -> [JSONValue] {
        let result = try await call(method, of: memberID)
        guard let list = result.elements else {
            throw CallName(portal: memberID, method: method).error(.notJSON, status: 200, "answered without a list")
        }
        return list
    }
}
