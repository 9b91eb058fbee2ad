# SPDX-License-Identifier: Apache-2.0
# Completion of all programs of rackline in fish: they know, see lib/cli/completion.h.

function __rackline_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] __complete $words[2..] $current 2>/dev/null </dev/null)
        if test "$line" != @files
            echo $line
            continue
        end
        set -l option (string match -r -- '^--[^=]*=' $current)
        set -l value (string replace -r -- '^--[^=]*=' '' $current)
        for file in (__fish_complete_path "$value")
            echo "$option$file"
        end
    end
end
