import Testing

@testable import Simulation

@Suite struct ShownAddressTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080/b24/events/{portal}", "http://127.0.0.1:8080/b24/events/{portal}"),
        ("http://user:SECRET@host:8/b24?token=SECRET", "http://[redacted]@host:8/b24?[redacted]"),
        ("https://SECRET@host", "https://[redacted]@host"),
        ("https://u:SEC@RET@host/x@y", "https://[redacted]@host/x@y"),
        ("https://host?SECRET=a@b", "https://host?[redacted]"), ("https://host/x#SECRET", "https://host/x?[redacted]"),
    ])
    func aSecretOfTheAddressIsNotShown(url: String, shown: String) throws {
        var settings = try SimulationSettings.sample()
        settings.url = url
        #expect(settings.shownURL == shown)
    }

    @Test func nobodyAnsweringIsToldWithoutIt() async throws {
        var settings = try SimulationSettings.sample()
        settings.url = "http://user:SECRET@127.0.0.1:1/b24/events?token=SECRET"
        settings.patience = .zero
        let error = await #expect(throws: SimulationError.self) { try await EventSimulation(settings).run { _ in } }
        #expect(error?.description.contains("http://[redacted]@127.0.0.1:1/b24/events?[redacted]") == true)
        #expect(error?.description.contains("SECRET") == false)
    }
}
