# gradus_add_check(<name>
#                  SOURCES <file>...        C or C++, one of them with GR_CHECK_MAIN (gradus/check_test.h)
#                  [LIBRARIES <target>...]  what is checked
#                  [ARGS <argument>...]     of the program: --tap, names of checks
#                  [TIMEOUT <seconds>])     120 if not given
#
# Builds the program <name>, linked with Gradus, and makes it a test of that name: it fails if a check does not pass.
# There are tests only after enable_testing() or include(CTest) in the top directory. The target and the test can be
# given further properties, as set_tests_properties(<name> PROPERTIES LABELS gradients).
#
# Here after add_subdirectory(gradus) as well as after find_package(Gradus).
function(gradus_add_check name)
  cmake_parse_arguments(PARSE_ARGV 1 check "" "TIMEOUT" "SOURCES;LIBRARIES;ARGS")
  if(check_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "gradus_add_check(${name}): unknown arguments: ${check_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT check_SOURCES)
    message(FATAL_ERROR "gradus_add_check(${name}): SOURCES are missing")
  endif()
  if(NOT check_TIMEOUT)
    set(check_TIMEOUT 120)
  endif()

  add_executable(${name} ${check_SOURCES})
  target_link_libraries(${name} PRIVATE ${check_LIBRARIES} Gradus::gradus)
  # The headers want these at least; a project that asks for more keeps it.
  if(CMAKE_C_COMPILE_FEATURES)
    target_compile_features(${name} PRIVATE c_std_11)
  endif()
  if(CMAKE_CXX_COMPILE_FEATURES)
    target_compile_features(${name} PRIVATE cxx_std_11)
  endif()

  add_test(NAME ${name} COMMAND ${name} ${check_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${check_TIMEOUT})
endfunction()
