// What is behind everything: written wherever nothing was drawn, in every pass.
uniform vec3 colour;
#ifdef CUBE_TEXTURE
uniform samplerCube sky;
#endif
#ifdef FLAT_TEXTURE
uniform sampler2D sky;  // as it was drawn for this very camera before
#endif
void main() {
#ifdef RGB
#ifdef FLAT_TEXTURE
    vec3 rgb = texelFetch(sky, ivec2(gl_FragCoord.xy), 0).rgb;
#else
    vec3 rgb = colour;
#endif
#ifdef CUBE_TEXTURE
    vec2 where = orthographic > 0.0 ? vec2(0.0) : gl_FragCoord.xy * unproject.xy + unproject.zw;
    vec3 ray = mat3(world_from_camera) * vec3(where, -1.0);
    rgb = texture(sky, vec3(ray.x, ray.z, -ray.y)).rgb;  // cube maps have y up, our world has z
#endif
#ifdef HAZE
    vec3 way = mat3(world_from_camera) * vec3(gl_FragCoord.xy * unproject.xy + unproject.zw, -1.0);
    float height = dot(haze_plane.xyz, world_from_camera[3].xyz) + haze_plane.w;
    rgb = mix(rgb, haze.rgb, height > 0.0 ? haze_along(way) : 0.0);
#endif
    o_rgb = vec4(rgb, 1.0);
#endif
#ifdef ALPHA
    o_alpha = vec4(0.0);
#endif
#ifdef DISTANCE
    o_distance = uintBitsToFloat(0x7F800000u);
#endif
#ifdef DEPTH
    o_depth = uintBitsToFloat(0x7F800000u);
#endif
#ifdef NORMALS
    o_normal = vec4(0.0);
#endif
#ifdef SEGMENTATION
    o_id = 0;
#endif
}
