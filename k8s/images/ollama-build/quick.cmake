# What is not arithmetic in the engine is compiled quickly: with less optimisation, and several files
# at a time. ggml, which is the arithmetic, stays as it is. Half of the work (259 of 534 s of processor).
function(_compile_quickly)
  foreach(target llama llama-common llama-common-base mtmd server-context llama-server-impl cpp-httplib)
    target_compile_options(${target} PRIVATE -O1)
  endforeach()
  # llama has this by itself; httplib is one file
  foreach(target llama-common llama-common-base mtmd server-context llama-server-impl)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endforeach()
  # these do not bear company
  set(source ${FETCHCONTENT_SOURCE_DIR_LLAMA_CPP})
  set_source_files_properties(${source}/common/json.cpp
    TARGET_DIRECTORY llama-common llama-common-base PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set_source_files_properties(${source}/tools/mtmd/mtmd-helper.cpp ${source}/tools/mtmd/mtmd-helper-gen.cpp
    TARGET_DIRECTORY mtmd PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL _compile_quickly)
