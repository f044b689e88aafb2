# What a program made by GR_CHECK_MAIN prints and returns, for all its options.
#   cmake -D PROGRAM=<program> -P options.cmake

# run(<status> [<argument>...]): sets output and errors.
macro(run status)
  execute_process(COMMAND ${PROGRAM} ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result STREQUAL "${status}")
    message(SEND_ERROR "${ARGN}: status ${result}, expected ${status}:\n${output}${errors}")
  endif()
  set(arguments "${ARGN}")
endmacro()

function(expect text expected)
  if(NOT text STREQUAL expected)
    message(SEND_ERROR "${arguments}: written:\n${text}\nexpected:\n${expected}")
  endif()
endfunction()

function(expect_part text part)
  string(FIND "${text}" "${part}" at)
  if(at EQUAL -1)
    message(SEND_ERROR "${arguments}: \"${part}\" not found in:\n${text}")
  endif()
endfunction()

set(long "a name of more than sixty-three bytes, which is what a result has room for")
string(SUBSTRING "${long}" 0 63 cut)
set(counts "3 derivatives compared; order 1, auto, 9 evaluations")

run(0 --list)
expect("${output}" "good\ngood too\nwrong\nunfilled\nrefused\nexpression\n--tap\n${long}\n")
run(0 --list wr good)
expect("${output}" "good\nwrong\n")
run(0 --list goo)
expect("${output}" "good\ngood too\n")

# For people: one line each, a summary; the name of the check, not that in the result.
run(0 good)
expect("${output}" "gradient check passed: good: ${counts}\n1 check passed\n")
run(0 "a name")
expect("${output}" "gradient check passed: ${cut}: ${counts}\n1 check passed\n")
run(0 -- --tap good)
expect("${output}" "gradient check passed: good: ${counts}\ngradient check passed: --tap: ${counts}\n2 checks passed\n")
run(1 wrong good)
expect_part("${output}" "gradient check FAILED: wrong: 3 derivatives compared: 1 wrong; order 1, auto, 0 evaluations\n\n  verdict ")
expect_part("${output}" "\n1 of 2 checks FAILED\n")
run(1)
expect_part("${output}" "\n3 of 8 checks FAILED\n")

# What was not filled, or came back with an error, has not passed.
run(1 unfilled refused)
expect("${output}" "gradient check FAILED: unfilled: not made\ngradient check FAILED: refused: not made: GR_ERR_SHAPE\n2 of 2 checks FAILED\n")

# Machine formats, before or behind the names; the status is the same.
run(0 --tap good "good too")
expect("${output}" "TAP version 13\n1..2\nok 1 - good\nok 2 - good too\n")
run(1 good wrong --tap)
expect_part("${output}" "TAP version 13\n1..2\nok 1 - good\nnot ok 2 - wrong\n  ---\n")
run(1 --json good wrong)
string(REGEX MATCHALL "[^\n]+" lines "${output}")
list(LENGTH lines count)
list(GET lines 0 first)
list(GET lines 1 second)
if(CMAKE_VERSION VERSION_LESS 3.19) # which cannot read JSON
  expect_part("${second}" "\"worst_elements\":[{\"verdict\":\"wrong\",")
else()
  string(JSON name GET "${first}" name)
  expect("${name}" "good")
  string(JSON analytic GET "${second}" worst_elements 0 analytic)
  expect("${analytic}" "2")
endif()
expect("${count}" "2")

# Wrong arguments: nothing is run, nothing written to stdout.
foreach(wrong --verbose -t nothing goodness "")
  execute_process(COMMAND ${PROGRAM} good "${wrong}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  set(arguments "good \"${wrong}\"")
  expect("${result}" "2")
  expect("${output}" "")
  expect_part("${errors}" "${wrong}")
endforeach()
run(0 --help)
expect_part("${output}" "usage: ${PROGRAM} [--tap | --json]")

# Where and what the expression reports.
run(0 expression)
expect_part("${errors}" "program.c:")
expect_part("${errors}" ": gradient check FAILED: 3 derivatives compared: 1 wrong")
expect_part("${errors}" ": gradient check FAILED: not made\n")

# Nothing to write to.
if(EXISTS /dev/full)
  execute_process(COMMAND ${PROGRAM} good RESULT_VARIABLE result OUTPUT_FILE /dev/full)
  set(arguments "good > /dev/full")
  expect("${result}" "2")
endif()
