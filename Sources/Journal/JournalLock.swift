/// The lock of a journal's directory without the journal: nobody opens it as long as this is held, and nothing is written.
package final class JournalLock: Sendable {
    private let file: OpenFile
    private let fileSystem: any FileSystem

    /// Makes the directory if it is missing, as opening the journal would. Throws, after a second, when
    /// somebody has the lock.
    package init(_ directory: String, fileSystem: any FileSystem = POSIXFileSystem()) throws(JournalError) {
        self.fileSystem = fileSystem
        let file: OpenFile?
        do throws(FileSystemError) {
            file = try JournalStart.lock(DirectoryLayout(directory: directory), fileSystem)
        } catch {
            throw JournalError(error)
        }
        guard let file else { throw .locked(directory) }
        self.file = file
    }

    deinit { fileSystem.close(file) }
}
