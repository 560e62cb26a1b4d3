/// Who acts at the portal. Source: b24restdocs, api-reference/common/users/profile.md
package struct Profile: Sendable, Equatable {
    package let id: String
    package let isAdministrator: Bool
    package let name: String
}

extension RESTClient {
    /// - Returns: `nil` when the token's user is no longer active.
    package func profile(of memberID: String) async throws(RESTError) -> Profile? {
        let result = try await call("profile", of: memberID)
        guard let id = result["ID"]?.text else { return nil }
        let name = [result["NAME"]?.text, result["LAST_NAME"]?.text].compactMap { $0 }.filter { !$0.isEmpty }
        return Profile(id: id, isAdministrator: result["ADMIN"]?.flag ?? false, name: name.joined(separator: " "))
    }

    /// RFC 3339, by the portal's clock.
    package func serverTime(of memberID: String) async throws(RESTError) -> String {
        try await call("server.time", of: memberID).text ?? ""
    }

    /// Whether the portal's plan has it, as `rest_offline_extended`. An on-premise portal answers in words of its own, which
    /// mean yes.
    package func feature(_ code: String, of memberID: String) async throws(RESTError) -> Bool {
        let value = try await call("feature.get", ["CODE": .string(code)], of: memberID)["value"]
        return value?.flag ?? !(value?.text ?? "").isEmpty
    }

    /// The scopes of the token, or all there are.
    package func scope(of memberID: String, all: Bool = false) async throws(RESTError) -> [String] {
        AppInfo.scopes(try await call("scope", all ? ["full": 1] : [:], of: memberID))
    }
}
