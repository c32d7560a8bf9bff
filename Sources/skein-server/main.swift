import Glibc
import SkeinServerCLI

exit(await SkeinServerCommand.run(Array(CommandLine.arguments.dropFirst())))
